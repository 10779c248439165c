//! Which thread runs a task, and what is left of one that panics. As applications get the package: without
//! async-std, unless something else in the build turns it on.

use std::thread;

use ntf_runtime_smol::rt;

async fn thread_of_a_task() -> thread::ThreadId {
    rt::spawn(async { thread::current().id() }).await.expect("it lives")
}

#[test]
fn a_program_runs_its_tasks_on_the_threads_it_has() {
    let here = thread::current().id();
    assert_eq!(rt::run(1, thread_of_a_task()).expect("no threads are needed"), here);
}

#[test]
fn an_application_on_smol_has_its_tasks_on_the_global_executor() {
    let here = thread::current().id();
    assert_ne!(smol::block_on(thread_of_a_task()), here);
    rt::run(1, thread_of_a_task()).expect("no threads are needed");
    assert_ne!(smol::block_on(thread_of_a_task()), here, "a program that has ended leaves nothing behind");
}

#[test]
fn a_task_that_panics_ends_alone() {
    let dies = || async {
        let died = rt::spawn(async { assert_eq!(1 + 1, 3, "as a bug would") }).await;
        (died, rt::spawn(async { 7 }).await)
    };
    let expected = (Err(rt::Died), Ok(7));
    assert_eq!(rt::run(2, dies()).expect("threads"), expected);
    assert_eq!(smol::block_on(dies()), expected);
}
