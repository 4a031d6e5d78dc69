//! The cases, each an async function over a transport, and the tables made from their names.

mod closing;
mod endings;
mod flow;
mod handshake;
mod limits;
mod messages;
mod pings;
mod violations;

use super::outcome::Outcome;
use crate::transport::Transport;

/// Makes the list of names, the call by name, and the macro for adapters, from one list.
/// `$d` is a dollar sign, for the macro inside.
macro_rules! cases {
    ($d:tt $($module:ident: $($name:ident)*;)*) => {
        /// The names of all cases, each a sentence of behaviour.
        pub const CASES: &[&str] = &[$($(stringify!($name)),*),*];

        /// Runs the case of this name, if there is one.
        pub(super) async fn run<T: Transport>(name: &str, transport: T) -> Option<Outcome> {
            // Boxed, so that the future is as large as one case and not as all of them.
            Some(match name {
                $($(stringify!($name) => Box::pin($module::$name(transport)).await,)*)*
                _ => return None,
            })
        }

        /// Makes one `#[tokio::test]` for each case of the
        /// conformance suite, run with the transport that the
        /// expression gives.
        ///
        /// The calling package needs tokio with its features `macros` and `rt` as a dev-dependency. See
        /// `wscengine::testing::conformance`.
        #[macro_export]
        macro_rules! conformance_tests {
            ($d transport:expr) => {
                $($(
                    #[::tokio::test]
                    async fn $name() {
                        let outcome = $crate::testing::conformance::run_case(stringify!($name), $d transport).await;
                        if let Err(problem) = outcome {
                            panic!("{problem}");
                        }
                    }
                )*)*
            };
        }
    };
}

cases! { $
    handshake:
        user_headers_and_subprotocols_reach_the_server
        the_subprotocol_that_the_server_chose_is_reported
        a_subprotocol_that_was_not_offered_is_refused
        status_200_is_a_refusal
        a_refusal_with_401_keeps_status_headers_and_body
        a_refusal_with_404_keeps_its_response
        a_wrong_accept_value_is_an_invalid_handshake
        a_missing_accept_value_is_an_invalid_handshake
        bytes_right_behind_the_101_are_the_first_message
        dropping_the_connect_future_closes_the_tcp_connection
        dropping_the_connection_closes_the_socket;
    messages:
        text_and_binary_of_every_size_arrive
        text_and_binary_of_every_size_are_sent
        fragments_with_control_frames_between_them_are_one_message
        many_messages_in_one_segment_arrive_in_order
        a_message_split_byte_by_byte_arrives_whole
        text_whose_characters_are_split_over_fragments_arrives_whole
        a_poll_given_up_inside_a_frame_loses_nothing
        every_frame_of_the_client_has_a_mask_of_its_own;
    pings:
        a_ping_is_answered_with_its_payload_after_a_flush
        each_of_several_pings_in_one_segment_is_answered
        a_pong_is_surfaced_with_its_payload
        a_ping_of_ours_reaches_the_peer_with_its_payload;
    closing:
        the_peers_code_and_reason_are_kept_and_echoed_once
        a_close_without_a_code_is_echoed_without_one
        our_code_and_reason_reach_the_peer_and_its_echo_is_reported
        our_close_without_a_code_has_no_payload
        after_the_peers_close_reading_is_an_error_of_kind_closed
        nothing_behind_a_close_frame_is_reported
        messages_before_the_peers_close_still_arrive
        messages_sent_before_our_close_arrive_before_it
        messages_that_cross_our_close_still_arrive
        close_frames_that_cross_are_not_echoed_again
        a_close_of_ours_behind_the_echo_is_not_sent
        a_peer_that_never_answers_our_close_leaves_the_read_pending;
    endings:
        a_reset_is_an_io_error_or_an_unexpected_end
        an_end_without_a_close_frame_is_an_unexpected_end
        an_end_inside_a_frame_is_an_unexpected_end
        messages_before_the_end_still_arrive
        after_a_protocol_error_the_close_frame_reaches_the_peer
        after_invalid_utf8_the_close_frame_reaches_the_peer
        after_a_message_too_big_the_close_frame_reaches_the_peer;
    limits:
        a_frame_over_the_limit_is_refused_by_its_header
        a_fragmented_message_over_the_limit_is_refused
        a_message_over_the_limit_in_one_frame_is_refused_by_its_header
        messages_of_just_the_limit_arrive;
    violations:
        invalid_utf8_in_one_frame_is_refused
        invalid_utf8_split_over_fragments_is_refused
        text_that_ends_inside_a_character_is_refused
        messages_before_a_violation_still_arrive
        a_masked_frame_is_a_protocol_error
        reserved_bits_are_a_protocol_error
        reserved_opcodes_are_a_protocol_error
        a_fragmented_control_frame_is_a_protocol_error
        a_control_frame_over_125_bytes_is_a_protocol_error
        a_continuation_without_a_start_is_a_protocol_error
        a_new_message_inside_a_fragmented_one_is_a_protocol_error
        a_length_longer_than_it_needs_is_a_protocol_error
        a_close_payload_of_one_byte_is_a_protocol_error
        close_codes_that_must_not_be_sent_are_a_protocol_error
        a_close_reason_that_is_not_utf8_is_refused;
    flow:
        bytes_read_grows_with_every_part_of_a_frame
        bytes_written_grows_with_what_is_sent
        a_peer_that_does_not_read_stops_the_client_and_reading_lets_it_go_on;
}
