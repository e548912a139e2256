// Pool: threads for attend.
#include <pthread.h>

#include <atomic>

#include "arguments.hpp"
#include "handles.hpp"

namespace tqpy {
namespace {

constexpr const char* kPool = R"(Threads for `Sequence.attend` and `attend`.

Parameters
----------
threads : int
    1 to 1024, counting the caller: 1 starts none.

Raises
------
InvalidArgument
    If `threads` is out of range.
OutOfMemory
    If the system refuses to start a thread.

Notes
-----
One call at a time uses the workers; further calls at the same moment run on their callers alone. A pool does not
survive `os.fork`: a child process gets an error and makes its own.)";

constexpr const char* kInit = R"(__init__(self, threads)
--

)";

constexpr const char* kClose = R"(close(self)
--

Stop the threads. Closing twice is allowed.

Raises
------
Busy
    If another thread is using the pool.)";

// How many forks lie between the first process and this one.
std::atomic<std::uint32_t> generation{0};

}  // namespace

PoolHandle::PoolHandle(std::uint32_t threads) : threads_(threads), generation_(generation.load()) {
  call_library([&](tq_error* err) { return tq_pool_create(threads, &pool_, err); });
}

// The threads of a pool exist only in the process that started them; elsewhere waiting for them would never end.
PoolHandle::~PoolHandle() {
  if (of_this_process()) tq_pool_destroy(pool_);
}

bool PoolHandle::of_this_process() const { return generation_ == generation.load(std::memory_order_relaxed); }

tq_pool* PoolHandle::get() const {
  if (!of_this_process()) raise_invalid("the pool was created before this process was forked; create one here");
  return pool_;
}

void PoolHandle::close() {
  if (!guard_.close()) return;
  tq_pool* pool = of_this_process() ? pool_ : nullptr;
  pool_ = nullptr;
  py::gil_scoped_release released;
  tq_pool_destroy(pool);
}

void register_pool(py::module_& module) {
  pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
  py::class_<PoolHandle>(module, "Pool", kPool)
      .def(py::init([](py::handle threads) { return std::make_unique<PoolHandle>(u32_from(threads, "threads")); }),
           py::arg("threads"), kInit)
      .def_property_readonly("threads", &PoolHandle::threads, "Number of threads, the caller included.")
      .def_property_readonly(
          "closed", [](PoolHandle& self) { return self.guard().closed(); }, "Whether `close` was called.")
      .def("close", &PoolHandle::close, kClose)
      .def(
          "__enter__", [](py::object self) { return self; }, "__enter__(self)\n--\n\n")
      .def(
          "__exit__", [](PoolHandle& self, const py::args&) { self.close(); }, "__exit__(self, *args)\n--\n\n");
}

}  // namespace tqpy
