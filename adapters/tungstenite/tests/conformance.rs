//! Every case of the conformance suite, over real sockets.

use wscengine_tungstenite::TungsteniteTransport;

wscengine::conformance_tests!(TungsteniteTransport::new());
