//! Every fault of the proxy, in every situation, with every adapter: what the engine does about it.
//!
//! What it is to do stands in [`table`]; [`cell`] lets it happen, [`verdict`] looks. Each cell is a test:
//! `faults::ADAPTER::FAULT::SITUATION`.

mod cell;
mod clients;
mod handler;
mod peer;
mod table;
mod verdict;

use std::fs;
use std::path::Path;

macro_rules! adapters {
    ($($name:ident: $adapter:ident;)*) => {$(
        mod $name {
            use e2e::$adapter as Chosen;

            faults! {
                reset: Reset,
                finish: Finish,
                half_close_to_client: HalfCloseToClient,
                half_close_to_server: HalfCloseToServer,
                stall_to_client: StallToClient,
                stall_to_server: StallToServer,
                delay_to_client: DelayToClient,
                delay_to_server: DelayToServer,
                drip_to_client: DripToClient,
                drip_to_server: DripToServer,
                throttle_to_client: ThrottleToClient,
                throttle_to_server: ThrottleToServer,
                corrupt_header_to_client: CorruptHeaderToClient,
                corrupt_header_to_server: CorruptHeaderToServer,
                corrupt_payload_to_client: CorruptPayloadToClient,
                corrupt_payload_to_server: CorruptPayloadToServer,
                corrupt_handshake: CorruptHandshake,
                duplicate_close: DuplicateClose,
                refuse: Refuse,
                say_nothing: SayNothing,
            }
        }
    )*};
}

macro_rules! faults {
    ($($name:ident: $fault:ident,)*) => {
        $(mod $name {
            situations! {
                $fault:
                while_idle: Idle,
                while_receiving: Receiving,
                while_sending: Sending,
                while_paused: Paused,
                in_on_open: InOnOpen,
                in_on_close: InOnClose,
            }
        })*

        #[test]
        fn every_fault_has_its_tests() {
            use crate::faults::table::Fault;
            assert_eq!(Fault::ALL, [$(Fault::$fault),*]);
        }
    };
}

macro_rules! situations {
    ($fault:ident: $($name:ident: $situation:ident,)*) => {
        use crate::faults::cell::run;
        use crate::faults::table::{Fault, Situation};

        $(#[tokio::test]
        async fn $name() {
            run::<super::Chosen>(Fault::$fault, Situation::$situation).await;
        })*
    };
}

adapters! {
    sockudo: Sockudo;
    tungstenite: Tungstenite;
}

#[test]
fn the_table_of_faults_in_the_readme_is_the_one_that_is_tested() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let table = table::rendered();
    assert!(fs::read_to_string(readme).unwrap().contains(&table), "README.md is to have\n{table}");
}
