//! Every input that was kept, of each fuzzing target: the promises that it once came near to breaking hold.

use std::fs;
use std::path::{Path, PathBuf};

/// The inputs in `fuzz/corpus` and `fuzz/regressions`.
fn kept(target: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder above");
    ["corpus", "regressions"]
        .into_iter()
        .filter_map(|kind| fs::read_dir(fuzz.join(kind).join(target)).ok())
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// Says which input it was, if one ends in a panic.
struct SayInput<'a>(&'a Path);

impl Drop for SayInput<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0.display());
        }
    }
}

fn run_all(target: &str, promise: fn(&[u8])) {
    let inputs = kept(target);
    assert!(!inputs.is_empty(), "nothing was kept of {target}");
    for path in inputs {
        let input = fs::read(&path).expect("an input");
        let guard = SayInput(&path);
        promise(&input);
        drop(guard);
    }
}

macro_rules! tests {
    ($($target:ident: $sentence:ident,)*) => {
        $(
            mod $target {
                #[test]
                fn $sentence() {
                    super::run_all(stringify!($target), fuzz_properties::$target);
                }
            }
        )*

        /// A target without a test here would not be seen to be missing.
        #[test]
        fn every_target_is_here() {
            let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets");
            let mut found: Vec<_> = fs::read_dir(targets)
                .expect("the targets")
                .map(|entry| entry.expect("an entry").path())
                .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
                .collect();
            found.sort();
            assert_eq!(found, [$(stringify!($target)),*]);
        }
    };
}

tests! {
    batch: every_kept_batch_gives_back_what_was_put_in,
    close: every_kept_close_frame_is_judged_as_rfc_6455_says,
    config: every_kept_configuration_is_built_or_refused_by_the_name_of_an_option,
    extensions: every_kept_list_of_extensions_is_what_it_plainly_says,
    frames: every_kept_stream_of_frames_is_read_as_rfc_6455_says,
    handshake: every_kept_answer_to_a_handshake_has_one_result_however_it_is_cut,
    headers: every_kept_header_of_a_frame_is_judged_by_its_first_bytes,
    heartbeat: every_kept_heartbeat_blames_a_silent_peer_only,
    inbox: every_kept_inbox_loses_no_message_and_no_waker,
    lifecycle: every_kept_life_of_an_engine_breaks_no_promise,
    no_proxy: every_kept_list_of_hosts_without_a_proxy_names_those_and_no_others,
    proxy_answer: every_kept_answer_of_an_http_proxy_opens_a_tunnel_or_says_why_not,
    redact: every_kept_url_is_shown_without_its_secrets,
    retry_after: every_kept_retry_after_is_a_delay_or_nothing,
    rooms_easy: every_kept_easy_message_is_written_as_it_was_read,
    rooms_grows: every_kept_grows_message_is_written_as_it_was_read,
    rooms_iris: every_kept_iris_message_is_written_as_it_was_read,
    rooms_wsrooms: every_kept_wsrooms_message_is_written_as_it_was_read,
    scanner: every_kept_stream_of_frames_is_read_as_the_core_beneath_reads_it,
    send_queue: every_kept_send_queue_loses_no_message_and_no_room,
    socks: every_kept_reply_of_a_socks_proxy_is_read_to_its_last_byte_and_no_further,
}
