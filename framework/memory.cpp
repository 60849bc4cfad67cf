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

// A slab is a piece of memory from the system. It is divided into blocks. Free blocks are in lists
// by size: each power of two has 2^split_bits lists.

// Sizes, headers and alignment are multiples of it.
constexpr std::size_t grain = 64;
// Slabs consist of whole huge pages.
constexpr std::size_t slab_grain = std::size_t{1} << 21;
// Matrices often have a power of two as their size: room for two of 16 MiB and their headers.
constexpr std::size_t smallest_slab = (std::size_t{1} << 25) + slab_grain;
// 16 lists for each power of two waste at most 6 % of a block.
constexpr int split_bits = 4;
constexpr int powers = 48;

/// The header of a block, in front of its bytes. `previous` is the neighbour at the lower address
/// in the same slab. The neighbour at the higher address follows from the size.
struct alignas(grain) Block {
  std::size_t size;  // of the block, this header included
  Block* previous;
  Block* next_free;
  Block* previous_free;
  bool free;
  bool last;  // in its slab

  /// The neighbour at the higher address, or null.
  Block* above() {
    return last ? nullptr : reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) + size);
  }
};
static_assert(sizeof(Block) == grain);

/// A list of free blocks: list `part` of power `power`.
struct Bin {
  int power;
  int part;
};

/// Without `round_up`, the list for a free block of `size`. With it, the first list in which every
/// block has at least `size`.
Bin bin_of(std::size_t size, bool round_up) {
  std::size_t units = size / grain;
  if (units >> split_bits == 0) return {0, static_cast<int>(units)};  // a list for each small size
  if (round_up) units += (std::size_t{1} << (std::bit_width(units) - 1 - split_bits)) - 1;
  const int width = static_cast<int>(std::bit_width(units));
  const std::size_t part = (units >> (width - 1 - split_bits)) & ((1u << split_bits) - 1);
  return {width - split_bits, static_cast<int>(part)};
}

std::size_t round_up_to(std::size_t unit, std::size_t size) {
  return (size + unit - 1) / unit * unit;
}

class Pool {
 public:
  void* allocate(std::size_t bytes) {
    if (bytes > std::size_t{1} << 46) fail("[memory] a tensor of {} bytes is too large", bytes);
    const std::size_t size = round_up_to(grain, bytes) + sizeof(Block);
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
  /// Takes a free block of at least `size` out of its list, or returns null. The rest of a larger
  /// block becomes a free block, if it is large enough.
  Block* take(std::size_t size) {
    Block* block = find(size);
    if (!block) return nullptr;
    unlink(block);
    if (block->size >= size + 2 * grain) split(block, size);
    return block;
  }

  /// The first block of the smallest list that has blocks of at least `size`, or null.
  Block* find(std::size_t size) const {
    const Bin bin = bin_of(size, true);
    const std::uint32_t parts = bin.power < powers ? parts_[bin.power] & (~0u << bin.part) : 0;
    if (parts) return lists_[bin.power][std::countr_zero(parts)];
    const std::uint64_t larger =
        bin.power + 1 < 64 ? nonempty_ & (~std::uint64_t{0} << (bin.power + 1)) : 0;
    if (!larger) return nullptr;
    const int power = std::countr_zero(larger);
    return lists_[power][std::countr_zero(parts_[power])];
  }

  /// Cuts a block to `size`. The rest becomes a free block.
  void split(Block* block, std::size_t size) {
    Block* rest = reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(block) + size);
    ASAN_UNPOISON_MEMORY_REGION(rest, sizeof(Block));
    *rest = {.size = block->size - size,
             .previous = block,
             .next_free = nullptr,
             .previous_free = nullptr,
             .free = true,
             .last = block->last};
    if (Block* above = rest->above()) above->previous = rest;
    block->size = size;
    block->last = false;
    link(rest);
  }

  /// The memory of this machine, with its swap space: no more than that can ever be used.
  static std::size_t most_bytes() {
    static const std::size_t most = [] {
      struct sysinfo info {};
      if (sysinfo(&info) != 0) return std::numeric_limits<std::size_t>::max();
      return (static_cast<std::size_t>(info.totalram) + info.totalswap) * info.mem_unit;
    }();
    return most;
  }

  /// Gets a slab from the system that has room for a block of `size`.
  void grow(std::size_t size) {
    // A sixteenth more, because find() begins above the list of a block of exactly `size`.
    const std::size_t bytes =
        std::max(smallest_slab, round_up_to(slab_grain, size + (size >> split_bits)));
    // One huge page more, so that the slab can begin at a huge page. MAP_NORESERVE: the system
    // promises any amount, and kills the program when it uses too much. So the amount is compared
    // with the memory of the machine first.
    void* mapped = MAP_FAILED;
    if (bytes <= most_bytes())
      mapped = mmap(nullptr, bytes + slab_grain, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
      throw OutOfMemory(
          fmt::format("[memory] the system has no {} MiB more (Heed holds {} MiB); use a smaller "
                      "batch or model",
                      bytes >> 20, statistics_.system >> 20));
    const auto begin = round_up_to(slab_grain, reinterpret_cast<std::uintptr_t>(mapped));
    auto* slab = reinterpret_cast<Block*>(begin);
    madvise(slab, bytes, MADV_HUGEPAGE);
    *slab = {.size = bytes,
             .previous = nullptr,
             .next_free = nullptr,
             .previous_free = nullptr,
             .free = true,
             .last = true};
    ASAN_POISON_MEMORY_REGION(slab + 1, bytes - sizeof(Block));
    link(slab);
    statistics_.system += bytes;
    ++statistics_.system_requests;
  }

  /// Makes one block of two neighbours.
  void merge(Block* below, Block* above) {
    below->size += above->size;
    below->last = above->last;
    if (Block* next = below->above()) next->previous = below;
    ASAN_POISON_MEMORY_REGION(above, sizeof(Block));
  }

  /// Puts a block into its list of free blocks.
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

  /// Takes a block out of its list of free blocks.
  void unlink(Block* block) {
    const Bin bin = bin_of(block->size, false);
    block->free = false;
    if (block->next_free) block->next_free->previous_free = block->previous_free;
    if (block->previous_free) {
      block->previous_free->next_free = block->next_free;
      return;
    }
    lists_[bin.power][bin.part] = block->next_free;
    if (block->next_free) return;
    parts_[bin.power] &= ~(1u << bin.part);  // the list is empty now
    if (!parts_[bin.power]) nonempty_ &= ~(std::uint64_t{1} << bin.power);
  }

  std::mutex mutex_;
  std::array<std::array<Block*, 1 << split_bits>, powers> lists_{};
  std::array<std::uint32_t, powers> parts_{};  // a bit for each list of a power that has blocks
  std::uint64_t nonempty_ = 0;                 // a bit for each power that has blocks
  Statistics statistics_;
};

// Never destroyed, because static tensors may be released after it would be.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

namespace {

struct Left {
  bool limited = false;
  std::size_t bytes = 0;
};
thread_local Left left;

void take_from_limit(std::size_t bytes) {
  if (bytes > left.bytes) throw LimitReached("[memory] more than the limit of this work allows");
  left.bytes -= bytes;
}

}  // namespace

Limit::Limit(std::size_t bytes) { left = {.limited = true, .bytes = bytes}; }
Limit::~Limit() { left = {}; }

void* allocate(std::size_t bytes) {
  if (left.limited) [[unlikely]]
    take_from_limit(bytes);
  return pool().allocate(bytes);
}
void release(void* block) noexcept { pool().release(block); }
Statistics statistics() { return pool().statistics(); }
void reset_peak() { pool().reset_peak(); }

}  // namespace heed::memory
