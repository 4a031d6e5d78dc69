//! OpenTelemetry collectors in process, one for each protocol, that keep what they are sent.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::telemetry::{Settings, Telemetry};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_otlp::Protocol;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tonic::transport::server::TcpIncoming;
use tracing::Dispatch;

use crate::trace::Trace;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A collector, and an exporter that sends to it.
pub(crate) struct Collector {
    received: Received,
    telemetry: Telemetry,
}

/// The requests that arrived.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    pub(crate) async fn grpc() -> Self {
        let received = Received::default();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let service = TraceServiceServer::new(received.clone());
        tokio::spawn(
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming),
        );
        Self::at(&format!("http://{address}"), Protocol::Grpc, received)
    }

    pub(crate) async fn http() -> Self {
        let received = Received::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_http(listener, received.clone()));
        Self::at(&format!("http://{address}"), Protocol::HttpBinary, received)
    }

    fn at(endpoint: &str, protocol: Protocol, received: Received) -> Self {
        Self {
            received,
            telemetry: Telemetry::new(&settings(endpoint, protocol), &Handle::current()).unwrap(),
        }
    }

    /// The subscriber to run an engine under.
    pub(crate) fn subscriber(&self) -> Dispatch {
        self.telemetry.subscriber()
    }

    /// All that was exported, once everything is.
    pub(crate) async fn trace(self) -> Trace {
        let Self { received, telemetry } = self;
        tokio::task::spawn_blocking(move || telemetry.close(LIMIT))
            .await
            .unwrap()
            .expect("the collector is there");
        let requests = std::mem::take(&mut *received.0.lock().unwrap());
        Trace::new(requests)
    }
}

pub(crate) fn settings(endpoint: &str, protocol: Protocol) -> Settings {
    Settings { endpoint: endpoint.to_owned(), protocol, service: "a-test".to_owned() }
}

impl Received {
    fn add(&self, request: ExportTraceServiceRequest) {
        self.0.lock().unwrap().push(request);
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.add(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn serve_http(listener: TcpListener, received: Received) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let received = received.clone();
        let service = service_fn(move |request| answer(request, received.clone()));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    received: Received,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/v1/traces"
        || request.headers()["content-type"] != "application/x-protobuf"
    {
        let refusal = Response::builder().status(404).body(Full::default()).unwrap();
        return Ok(refusal);
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    received.add(ExportTraceServiceRequest::decode(body).unwrap());
    Ok(Response::new(Full::default()))
}
