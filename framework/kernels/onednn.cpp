#include "framework/kernels/onednn.h"

#ifdef HEED_ONEDNN  // its headers are here, and numbers are floats

#include <atomic>
#include <map>
#include <memory>
#include <tuple>

#include <dlfcn.h>
#include <dnnl.h>

#include "framework/error.h"

namespace heed::kernels::onednn {

namespace {

#define HEED_STRING_OF(x) #x
#define HEED_STRING(x) HEED_STRING_OF(x)
constexpr const char* library = "libdnnl.so." HEED_STRING(DNNL_VERSION_MAJOR);
static_assert(DNNL_VERSION_MAJOR == 2, "written against oneDNN 2; configure with -DHEED_BF16=OFF");
static_assert(DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP ||
                  DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_SEQ,
              "needs a oneDNN whose threads can be told to be one; configure with -DHEED_BF16=OFF");

template <class Function>
bool find(void* from, const char* name, Function*& f) {
  return (f = reinterpret_cast<Function*>(dlsym(from, name))) != nullptr;
}

/// The functions of the library that are called.
struct Library {
  decltype(&dnnl_engine_create) engine_create;
  decltype(&dnnl_stream_create) stream_create;
  decltype(&dnnl_stream_destroy) stream_destroy;
  decltype(&dnnl_memory_desc_init_by_tag) memory_desc_init_by_tag;
  decltype(&dnnl_memory_create) memory_create;
  decltype(&dnnl_memory_set_data_handle) memory_set_data_handle;
  decltype(&dnnl_memory_destroy) memory_destroy;
  decltype(&dnnl_matmul_desc_init) matmul_desc_init;
  decltype(&dnnl_post_ops_create) post_ops_create;
  decltype(&dnnl_post_ops_append_sum) post_ops_append_sum;
  decltype(&dnnl_post_ops_destroy) post_ops_destroy;
  decltype(&dnnl_primitive_attr_create) primitive_attr_create;
  decltype(&dnnl_primitive_attr_set_post_ops) primitive_attr_set_post_ops;
  decltype(&dnnl_primitive_attr_set_scratchpad_mode) primitive_attr_set_scratchpad_mode;
  decltype(&dnnl_primitive_attr_destroy) primitive_attr_destroy;
  decltype(&dnnl_primitive_desc_create) primitive_desc_create;
  decltype(&dnnl_primitive_desc_query) primitive_desc_query;
  decltype(&dnnl_primitive_desc_query_md) primitive_desc_query_md;
  decltype(&dnnl_primitive_desc_destroy) primitive_desc_destroy;
  decltype(&dnnl_primitive_create) primitive_create;
  decltype(&dnnl_primitive_execute) primitive_execute;
  decltype(&dnnl_primitive_destroy) primitive_destroy;
  int (*get_threads)() = nullptr;  // of OpenMP, where oneDNN uses it
  void (*set_threads)(int) = nullptr;

  bool load(void* from) {
#define HEED_FIND(name) find(from, "dnnl_" #name, name)
    return HEED_FIND(engine_create) && HEED_FIND(stream_create) && HEED_FIND(stream_destroy) &&
           HEED_FIND(memory_desc_init_by_tag) && HEED_FIND(memory_create) &&
           HEED_FIND(memory_set_data_handle) && HEED_FIND(memory_destroy) &&
           HEED_FIND(matmul_desc_init) && HEED_FIND(post_ops_create) &&
           HEED_FIND(post_ops_append_sum) && HEED_FIND(post_ops_destroy) &&
           HEED_FIND(primitive_attr_create) && HEED_FIND(primitive_attr_set_post_ops) &&
           HEED_FIND(primitive_attr_set_scratchpad_mode) && HEED_FIND(primitive_attr_destroy) &&
           HEED_FIND(primitive_desc_create) && HEED_FIND(primitive_desc_query) &&
           HEED_FIND(primitive_desc_query_md) && HEED_FIND(primitive_desc_destroy) &&
           HEED_FIND(primitive_create) && HEED_FIND(primitive_execute) &&
           HEED_FIND(primitive_destroy) &&
           (DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_SEQ ||
            (find(from, "omp_get_max_threads", get_threads) &&
             find(from, "omp_set_num_threads", set_threads)));
#undef HEED_FIND
  }
};
Library dnnl;
dnnl_engine_t engine = nullptr;
std::atomic<std::uint64_t> primitives_made = 0;

/// Makes oneDNN compute on the thread that calls it, as long as this lives. The setting belongs to
/// the calling thread and may matter to other code that runs on it: it is put back at the end.
class OneThread {
 public:
  OneThread() : before_(dnnl.get_threads ? dnnl.get_threads() : 1) {
    if (before_ != 1) dnnl.set_threads(1);
  }
  ~OneThread() {
    if (before_ != 1) dnnl.set_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

void expect(dnnl_status_t status, const char* what) {
  if (status != dnnl_success)
    throw Error(
        fmt::format("[bf16] oneDNN could not {} (status {})", what, static_cast<int>(status)));
}

/// A handle that is destroyed at the end of its scope.
template <class T, auto member>
struct Handle {
  T handle = nullptr;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (handle) (dnnl.*member)(handle);
  }
};
using Memory = Handle<dnnl_memory_t, &Library::memory_destroy>;

/// A product of one shape with all that its execution needs, for one thread.
struct Product {
  Handle<dnnl_primitive_t, &Library::primitive_destroy> primitive;
  Memory a;
  Memory b;
  Memory c;
  Memory scratchpad;
  bool fast = false;  // not oneDNN's reference loops

  Product(Index m, Index n, Index k, Mode mode) {
    const dnnl_memory_desc_t a_desc = describe(m, k, dnnl_bf16, dnnl_ab, "describe an operand");
    const dnnl_memory_desc_t b_desc =
        describe(k, n, dnnl_bf16, dnnl_BA16a64b2a, "describe an operand");
    const dnnl_memory_desc_t c_desc = describe(m, n, dnnl_f32, dnnl_ab, "describe a product");
    dnnl_matmul_desc_t desc;
    expect(dnnl.matmul_desc_init(&desc, &a_desc, &b_desc, nullptr, &c_desc), "describe a product");
    Handle<dnnl_primitive_attr_t, &Library::primitive_attr_destroy> options;
    set_options(options.handle, mode);
    Handle<dnnl_primitive_desc_t, &Library::primitive_desc_destroy> chosen;
    expect(dnnl.primitive_desc_create(&chosen.handle, &desc, options.handle, engine, nullptr),
           "choose a kernel");
    const char* name = "";
    expect(dnnl.primitive_desc_query(chosen.handle, dnnl_query_impl_info_str, 0,
                                     static_cast<void*>(&name)),
           "name its kernel");
    fast = std::string(name).starts_with("brg");
    expect(dnnl.primitive_create(&primitive.handle, chosen.handle), "compile a kernel");
    expect(dnnl.memory_create(&a.handle, &a_desc, engine, DNNL_MEMORY_NONE), "describe an operand");
    expect(dnnl.memory_create(&b.handle, &b_desc, engine, DNNL_MEMORY_NONE), "describe an operand");
    expect(dnnl.memory_create(&c.handle, &c_desc, engine, DNNL_MEMORY_NONE), "describe a product");
    const dnnl_memory_desc_t* space =
        dnnl.primitive_desc_query_md(chosen.handle, dnnl_query_scratchpad_md, 0);
    expect(dnnl.memory_create(&scratchpad.handle, space, engine, DNNL_MEMORY_ALLOCATE),
           "allocate memory");
    ++primitives_made;
  }

 private:
  static dnnl_memory_desc_t describe(Index rows, Index columns, dnnl_data_type_t type,
                                     dnnl_format_tag_t layout, const char* what) {
    const dnnl_dims_t dims = {rows, columns};
    dnnl_memory_desc_t result;
    expect(dnnl.memory_desc_init_by_tag(&result, 2, dims, type, layout), what);
    return result;
  }
  /// Scratch memory is ours; the product is added to c where `mode` says so.
  static void set_options(dnnl_primitive_attr_t& options, Mode mode) {
    const char* what = "set options";
    expect(dnnl.primitive_attr_create(&options), what);
    expect(dnnl.primitive_attr_set_scratchpad_mode(options, dnnl_scratchpad_mode_user), what);
    if (mode == Mode::assign) return;
    Handle<dnnl_post_ops_t, &Library::post_ops_destroy> then;
    expect(dnnl.post_ops_create(&then.handle), what);
    expect(dnnl.post_ops_append_sum(then.handle, 1), what);
    expect(dnnl.primitive_attr_set_post_ops(options, then.handle), what);
  }
};

/// The products that one thread has made so far. oneDNN keeps their code for all threads.
struct Products {
  Handle<dnnl_stream_t, &Library::stream_destroy> stream;
  std::map<std::tuple<Index, Index, Index, Mode>, std::unique_ptr<Product>> known;
  Product& at(Index m, Index n, Index k, Mode mode) {
    constexpr std::size_t most = 1024;
    if (!stream.handle)
      expect(dnnl.stream_create(&stream.handle, engine, dnnl_stream_default_flags), "begin");
    auto& entry = known[{m, n, k, mode}];
    if (!entry) {
      if (known.size() > most) known.clear();
      auto made = std::make_unique<Product>(m, n, k, mode);
      return *(known[{m, n, k, mode}] = std::move(made));
    }
    return *entry;
  }
};
Products& products() {
  thread_local Products mine;
  return mine;
}

std::string find_obstacle() {
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw"))
    return "needs a processor with AVX512-BF16 or AMX-BF16";
  void* from = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!from)
    return fmt::format("needs {}, which cannot be loaded (Debian's package is libdnnl{})", library,
                       DNNL_VERSION_MAJOR);
  if (!dnnl.load(from))
    return fmt::format("needs {} with OpenMP; the one here lacks a function", library);
  if (dnnl.engine_create(&engine, dnnl_cpu, 0) != dnnl_success)
    return "needs oneDNN, which does not start here";
  const OneThread alone;
  bool fast = false;
  try {
    fast = Product(32, 64, 64, Mode::assign).fast;
  } catch (const Error&) {  // there is no kernel at all
  }
  return fast ? ""
              : "needs a oneDNN that has a fast kernel for this processor (is ONEDNN_MAX_CPU_ISA "
                "set?)";
}

}  // namespace

const std::string& obstacle() {
  static const std::string why = find_obstacle();
  return why;
}

void product(Index m, Index n, Index k, const std::uint16_t* a, const std::uint16_t* b, float* c,
             Mode mode) {
  const OneThread alone;
  Products& all = products();
  const Product& p = all.at(m, n, k, mode);
  const auto at = [](const void* data) { return const_cast<void*>(data); };
  expect(dnnl.memory_set_data_handle(p.a.handle, at(a)), "take an operand");
  expect(dnnl.memory_set_data_handle(p.b.handle, at(b)), "take an operand");
  expect(dnnl.memory_set_data_handle(p.c.handle, c), "take a product");
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p.a.handle},
                                       {DNNL_ARG_WEIGHTS, p.b.handle},
                                       {DNNL_ARG_DST, p.c.handle},
                                       {DNNL_ARG_SCRATCHPAD, p.scratchpad.handle}};
  expect(dnnl.primitive_execute(p.primitive.handle, all.stream.handle, 4, arguments), "multiply");
}

std::uint64_t made() { return primitives_made; }

}  // namespace heed::kernels::onednn

#else

namespace heed::kernels::onednn {

const std::string& obstacle() {
#ifdef HEED_DOUBLE
  static const std::string why = "needs single precision, and this Heed computes in double";
#else
  static const std::string why =
      "needs oneDNN 2 (Debian's package is libdnnl-dev), which this Heed was built without";
#endif
  return why;
}
void product(Index, Index, Index, const std::uint16_t*, const std::uint16_t*, float*, Mode) {}
std::uint64_t made() { return 0; }

}  // namespace heed::kernels::onednn

#endif
