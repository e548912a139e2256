#include "pool.hpp"

#include <atomic>

namespace tq {

struct Pool::Work {
  TaskFunction task;
  void* context;
  std::size_t count;
  std::atomic<std::size_t> next{0};
};

Pool::Pool(std::uint32_t threads) {
  try {
    threads_.reserve(threads - 1);
    for (std::uint32_t i = 1; i < threads; ++i) threads_.emplace_back([this] { serve(); });
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    throw;
  }
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::drain(Work& work) {
  for (std::size_t i = work.next.fetch_add(1); i < work.count; i = work.next.fetch_add(1)) work.task(work.context, i);
}

void Pool::serve() {
  std::unique_lock lock(mutex_);
  for (std::uint64_t seen = 0;;) {
    wake_.wait(lock, [&] { return stopping_ || (work_ != nullptr && round_ != seen); });
    if (stopping_) return;
    seen = round_;
    Work& work = *work_;
    ++active_;
    lock.unlock();
    drain(work);
    lock.lock();
    if (--active_ == 0) done_.notify_one();
  }
}

void Pool::run(std::size_t count, TaskFunction task, void* context) {
  Work work{task, context, count, 0};
  const std::unique_lock turn(turn_, std::try_to_lock);
  if (!turn.owns_lock() || threads_.empty() || count < 2) return drain(work);
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    ++round_;
  }
  wake_.notify_all();
  drain(work);
  std::unique_lock lock(mutex_);
  work_ = nullptr;  // no worker may start on it any more
  done_.wait(lock, [&] { return active_ == 0; });
}

}  // namespace tq
