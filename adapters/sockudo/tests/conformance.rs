//! Every case of the conformance suite, over real sockets.

use wscengine_sockudo::SockudoTransport;

wscengine::conformance_tests!(SockudoTransport::new());
