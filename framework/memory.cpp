#include "framework/memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <mutex>

#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "framework/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace heed::memory {

namespace {

// sizes, headers and alignment are multiples of it
constexpr std::size_t grain = 64;
constexpr std::size_t slab_grain = std::size_t{1} << 21;  // slabs are whole huge pages
// matrices are often a power of two: room for two of 16 MiB and their headers
constexpr std::size_t smallest_slab = (std::size_t{1} << 25) + slab_grain;
// 16 lists to each power of two: at most 6 % of a block is wasted
constexpr int split_bits = 4;
constexpr int powers = 48;

/// Stands before every block. `previous` is the neighbour below in the same slab; the one above
/// follows from the size.
struct alignas(grain) Block {
  std::size_t size;  // of the block, this header included
  Block* previous;
  Block* next_free;
  Block* previous_free;
  // last of its slab
  bool free;
  bool last;
  Block* above() {
    return last ? nullptr : reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) + size);
  }
};
static_assert(sizeof(Block) == grain);

struct Bin {
  int power;
  int part;
};

/// The list that holds blocks of at least `size`, when rounding up; the list a block of `size` goes
/// to otherwise.
Bin bin_of(std::size_t size, bool round_up) {
  std::size_t units = size / grain;
  if (round_up && units >> split_bits)
    units += (std::size_t{1} << (std::bit_width(units) - 1 - split_bits)) - 1;
  if (units >> split_bits == 0) return {0, static_cast<int>(units)};
  const int width = static_cast<int>(std::bit_width(units));
  return {width - split_bits,
          static_cast<int>((units >> (width - 1 - split_bits)) & ((1u << split_bits) - 1))};
}

class Pool {
 public:
  void* allocate(std::size_t bytes) {
    if (bytes > std::size_t{1} << 46) fail("[memory] a tensor of {} bytes is too large", bytes);
    const std::size_t size = (bytes + grain - 1) / grain * grain + sizeof(Block);
    const std::lock_guard lock(mutex_);
    Block* block = take(size);
    if (!block) {
      grow(size);
      block = take(size);
    }
    statistics_.live += block->size;
    statistics_.peak = std::max(statistics_.peak, statistics_.live);
    ASAN_UNPOISON_MEMORY_REGION(block + 1, bytes);
    return block + 1;
  }

  void release(void* address) noexcept {
    Block* block = static_cast<Block*>(address) - 1;
    const std::lock_guard lock(mutex_);
    statistics_.live -= block->size;
    ASAN_POISON_MEMORY_REGION(block + 1, block->size - sizeof(Block));
    if (Block* above = block->above(); above && above->free) {
      unlink(above);
      merge(block, above);
    }
    if (Block* below = block->previous; below && below->free) {
      unlink(below);
      merge(below, block);
      block = below;
    }
    link(block);
  }

  Statistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.live;
  }

 private:
  Block* take(std::size_t size) {
    Bin bin = bin_of(size, true);
    std::uint32_t parts = bin.power < powers ? parts_[bin.power] & (~0u << bin.part) : 0;
    if (!parts) {
      const std::uint64_t larger =
          bin.power + 1 < 64 ? nonempty_ & (~std::uint64_t{0} << (bin.power + 1)) : 0;
      if (!larger) return nullptr;
      bin.power = std::countr_zero(larger);
      parts = parts_[bin.power];
    }
    Block* block = lists_[bin.power][std::countr_zero(parts)];
    unlink(block);
    if (block->size >= size + 2 * grain) {
      Block* rest = reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(block) + size);
      ASAN_UNPOISON_MEMORY_REGION(rest, sizeof(Block));
      *rest = {block->size - size, block, nullptr, nullptr, true, block->last};
      if (Block* above = rest->above()) above->previous = rest;
      block->size = size;
      block->last = false;
      link(rest);
    }
    return block;
  }

  /// More than this machine can ever hold: its memory and what it may swap out.
  static std::size_t most_bytes() {
    static const std::size_t most = [] {
      struct sysinfo info {};
      if (sysinfo(&info) != 0) return std::numeric_limits<std::size_t>::max();
      return (static_cast<std::size_t>(info.totalram) + info.totalswap) * info.mem_unit;
    }();
    return most;
  }

  void grow(std::size_t size) {
    // A sixteenth more: take() looks from the list above the one that a block of exactly `size`
    // would go to.
    const std::size_t bytes = std::max(
        smallest_slab, (size + (size >> split_bits) + slab_grain - 1) / slab_grain * slab_grain);
    // Mapped with a huge page to spare, so that the slab can begin on one. Without a reservation
    // the system promises any amount, and kills the program when it is used.
    void* mapped = MAP_FAILED;
    if (bytes <= most_bytes())
      mapped = mmap(nullptr, bytes + slab_grain, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
      throw OutOfMemory(
          fmt::format("[memory] the system has no {} MiB more (Heed holds {} MiB); use a smaller "
                      "batch or model",
                      bytes >> 20, statistics_.system >> 20));
    const auto begin =
        (reinterpret_cast<std::uintptr_t>(mapped) + slab_grain - 1) / slab_grain * slab_grain;
    auto* slab = reinterpret_cast<Block*>(begin);
    madvise(slab, bytes, MADV_HUGEPAGE);
    *slab = {bytes, nullptr, nullptr, nullptr, true, true};
    ASAN_POISON_MEMORY_REGION(slab + 1, bytes - sizeof(Block));
    link(slab);
    statistics_.system += bytes;
    ++statistics_.system_requests;
  }

  void merge(Block* below, Block* above) {
    below->size += above->size;
    below->last = above->last;
    if (Block* next = below->above()) next->previous = below;
    ASAN_POISON_MEMORY_REGION(above, sizeof(Block));
  }

  void link(Block* block) {
    const Bin bin = bin_of(block->size, false);
    block->free = true;
    block->previous_free = nullptr;
    block->next_free = lists_[bin.power][bin.part];
    if (block->next_free) block->next_free->previous_free = block;
    lists_[bin.power][bin.part] = block;
    parts_[bin.power] |= 1u << bin.part;
    nonempty_ |= std::uint64_t{1} << bin.power;
  }

  void unlink(Block* block) {
    const Bin bin = bin_of(block->size, false);
    block->free = false;
    if (block->next_free) block->next_free->previous_free = block->previous_free;
    if (block->previous_free) {
      block->previous_free->next_free = block->next_free;
    } else if (!(lists_[bin.power][bin.part] = block->next_free)) {
      parts_[bin.power] &= ~(1u << bin.part);
      if (!parts_[bin.power]) nonempty_ &= ~(std::uint64_t{1} << bin.power);
    }
  }

  std::mutex mutex_;
  std::array<std::array<Block*, 1 << split_bits>, powers> lists_{};
  std::array<std::uint32_t, powers> parts_{};
  std::uint64_t nonempty_ = 0;
  Statistics statistics_;
};

// Never destroyed: tensors of static storage may outlive any destructor of ours.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

void* allocate(std::size_t bytes) { return pool().allocate(bytes); }
void release(void* block) noexcept { pool().release(block); }
Statistics statistics() { return pool().statistics(); }
void reset_peak() { pool().reset_peak(); }

}  // namespace heed::memory
