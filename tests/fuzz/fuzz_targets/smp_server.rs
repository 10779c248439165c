#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntf_fuzz::smp_server(data));
