#include "harness/team.hpp"

namespace bench {

Team::Team(unsigned threads) {
  for (unsigned i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

Team::~Team() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::run(const std::function<void(unsigned)>& task) {
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    left_ = static_cast<unsigned>(workers_.size());
    ++round_;
  }
  changed_.notify_all();
  task(0);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return left_ == 0; });
}

void Team::work(unsigned index) {
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || round_ != seen; });
    if (stop_) return;
    seen = round_;
    const auto* task = task_;
    lock.unlock();
    (*task)(index);
    lock.lock();
    if (--left_ == 0) changed_.notify_all();
  }
}

}  // namespace bench
