//! Threads of the caller's own: a safe face on `tq_parallel_for`.
//!
//! The C library trusts its callback to run each task exactly once, and two threads on one task would write the same
//! output. A closure may do anything, so each task is guarded here by a bit of its own.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use smallvec::SmallVec;

use crate::error::invalid;
use crate::{Result, sys};

/// `run(count, task)`: see [`AttendOptions::parallel_for`](crate::AttendOptions::parallel_for).
pub type ParallelFor<'a> = dyn Fn(usize, &(dyn Fn(usize) + Sync)) + Sync + 'a;

/// Lets each of `count` tasks run once.
struct Claims {
    count: usize,
    bits: SmallVec<[AtomicU64; 16]>,
    claimed: AtomicUsize,
    misused: AtomicBool,
}

impl Claims {
    fn new(count: usize) -> Self {
        let bits = (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Claims { count, bits, claimed: AtomicUsize::new(0), misused: AtomicBool::new(false) }
    }

    /// Whether task `index` exists and is claimed for the first time.
    fn claim(&self, index: usize) -> bool {
        let bit = 1 << (index % 64);
        let first = index < self.count && self.bits[index / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0;
        if first {
            self.claimed.fetch_add(1, Ordering::Relaxed);
        } else {
            self.misused.store(true, Ordering::Relaxed);
        }
        first
    }

    fn result(&self) -> Result<()> {
        let claimed = self.claimed.load(Ordering::Relaxed);
        if self.misused.load(Ordering::Relaxed) {
            return Err(invalid!("parallel_for called a task twice, or one that is not among the {}", self.count));
        }
        if claimed < self.count {
            return Err(invalid!("parallel_for called only {claimed} of {} tasks", self.count));
        }
        Ok(())
    }
}

/// One `tq_attend` call that runs on the caller's threads.
pub(crate) struct ParallelCall<'a> {
    run: &'a ParallelFor<'a>,
    result: Result<()>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> ParallelCall<'a> {
    pub fn new(run: &'a ParallelFor<'a>) -> Self {
        ParallelCall { run, result: Ok(()), panic: None }
    }

    /// Calls `attend` with options that lead back to this object; passes on a panic of the closure.
    pub fn with(
        mut self,
        options: &mut sys::tq_attend_options,
        attend: impl FnOnce(&sys::tq_attend_options) -> Result<()>,
    ) -> Result<()> {
        options.parallel_for = Some(parallel_for);
        options.parallel_user = (&raw mut self).cast();
        let status = attend(options);
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
        status.and(self.result)
    }

    fn run(&mut self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let claims = Claims::new(count);
        let once = |index| {
            if claims.claim(index) {
                task(index);
            }
        };
        match catch_unwind(AssertUnwindSafe(|| (self.run)(count, &once))) {
            Ok(()) => self.result = claims.result(),
            Err(panic) => self.panic = Some(panic),
        }
    }
}

type Task = unsafe extern "C" fn(*mut c_void, usize);

/// The library's task and its context, which may be used on any thread.
struct TaskOfC {
    task: Task,
    context: *mut c_void,
}

// SAFETY: turboquant.h, tq_parallel_for: the task may be called on any thread.
unsafe impl Sync for TaskOfC {}

impl TaskOfC {
    /// # Safety
    /// At most once for each index below the count that came with the task, and before `parallel_for` returns.
    unsafe fn call(&self, index: usize) {
        // SAFETY: the caller's promise is what tq_parallel_for asks for.
        unsafe { (self.task)(self.context, index) }
    }
}

/// The `tq_parallel_for` that C calls. Never unwinds: panics of the closure are caught in `run`.
unsafe extern "C" fn parallel_for(user: *mut c_void, count: usize, task: Option<Task>, context: *mut c_void) {
    // SAFETY: `user` is what `with` has set; it lives until tq_attend returns, which calls this on its own thread once.
    let call = unsafe { &mut *user.cast::<ParallelCall<'_>>() };
    if let Some(task) = task {
        let task = TaskOfC { task, context };
        // SAFETY: `run` calls each index below `count` at most once. Its closure cannot keep the reference beyond the
        // call: safe code that lends it to other threads has to wait for them, even when it panics.
        call.run(count, &|index| unsafe { task.call(index) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: usize, closure: &ParallelFor<'_>) -> (Result<()>, Vec<usize>) {
        let calls: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let mut call = ParallelCall::new(closure);
        call.run(count, &|index| {
            calls[index].fetch_add(1, Ordering::Relaxed);
        });
        if let Some(panic) = call.panic {
            resume_unwind(panic);
        }
        (call.result, calls.iter().map(|calls| calls.load(Ordering::Relaxed)).collect())
    }

    #[test]
    fn each_task_runs_once_on_whatever_thread() {
        for count in [0, 1, 63, 64, 65, 2000] {
            let in_threads = |count: usize, task: &(dyn Fn(usize) + Sync)| {
                std::thread::scope(|scope| {
                    scope.spawn(|| (0..count).step_by(2).for_each(task));
                    (1..count).step_by(2).rev().for_each(task);
                })
            };
            assert_eq!(run(count, &in_threads), (Ok(()), vec![1; count]));
        }
    }

    #[test]
    fn a_task_too_many_or_too_few_is_an_error() {
        let twice = |count: usize, task: &(dyn Fn(usize) + Sync)| (0..count).chain([1]).for_each(task);
        let (result, calls) = run(3, &twice);
        assert!(result.unwrap_err().message().contains("twice"));
        assert_eq!(calls, [1, 1, 1]);

        let beyond = |count: usize, task: &(dyn Fn(usize) + Sync)| (0..=count).chain([usize::MAX]).for_each(task);
        let (result, calls) = run(64, &beyond);
        assert!(result.unwrap_err().message().contains("not among the 64"));
        assert_eq!(calls, [1; 64]);

        let (result, calls) = run(3, &|_: usize, task: &(dyn Fn(usize) + Sync)| task(2));
        assert_eq!(result.unwrap_err().message(), "parallel_for called only 1 of 3 tasks");
        assert_eq!(calls, [0, 0, 1]);
    }

    #[test]
    #[should_panic = "of the closure"]
    fn a_panic_goes_on() {
        let _ = run(3, &|_: usize, _: &(dyn Fn(usize) + Sync)| panic!("of the closure"));
    }
}
