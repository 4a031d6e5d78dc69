//! Traces to an OpenTelemetry collector, set up by the standard environment variables.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{env, fmt, thread};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Export};
use tokio::runtime::Handle;
use tracing::{Dispatch, Level};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

/// The service's name, where the user gives none.
const DEFAULT_SERVICE: &str = "wscengine-echo";

/// Where traces go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The collector: `http://HOST:PORT`, for both protocols.
    pub endpoint: String,
    /// gRPC, or HTTP with Protobuf.
    pub protocol: Protocol,
    /// The name of the service in the traces.
    pub service: String,
}

/// An environment variable has a value that means nothing.
#[derive(Debug, thiserror::Error)]
#[error("OTEL_EXPORTER_OTLP_PROTOCOL is {0:?}, and neither grpc nor http/protobuf")]
pub struct UnknownProtocol(String);

impl Settings {
    /// What the environment says; `None` without `OTEL_EXPORTER_OTLP_ENDPOINT`: nothing is exported then.
    ///
    /// | variable | default |
    /// |---|---|
    /// | `OTEL_EXPORTER_OTLP_ENDPOINT` | no export |
    /// | `OTEL_EXPORTER_OTLP_PROTOCOL` | `grpc`; or `http/protobuf` |
    /// | `OTEL_SERVICE_NAME` | `wscengine-echo` |
    ///
    /// # Errors
    /// [`UnknownProtocol`].
    pub fn from_env() -> Result<Option<Self>, UnknownProtocol> {
        let get = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let Some(endpoint) = get("OTEL_EXPORTER_OTLP_ENDPOINT") else { return Ok(None) };
        let protocol = match get("OTEL_EXPORTER_OTLP_PROTOCOL").as_deref() {
            None | Some("grpc") => Protocol::Grpc,
            Some("http/protobuf") => Protocol::HttpBinary,
            Some(other) => return Err(UnknownProtocol(other.to_owned())),
        };
        let service = get("OTEL_SERVICE_NAME").unwrap_or_else(|| DEFAULT_SERVICE.to_owned());
        Ok(Some(Self { endpoint, protocol, service }))
    }
}

/// An exporter at work.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Sets the export up. Nothing is connected yet. `runtime` carries gRPC; HTTP has a thread of its own.
    ///
    /// # Errors
    /// The endpoint is no URL.
    pub fn new(settings: &Settings, runtime: &Handle) -> Result<Self, ExporterBuildError> {
        let exporter = exporter(settings, runtime)?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Warning { exporter, warned: Arc::default() })
            .with_resource(Resource::builder().with_service_name(settings.service.clone()).build())
            .build();
        Ok(Self { provider })
    }

    /// A subscriber that exports the spans of the engine and of the examples.
    #[must_use]
    pub fn subscriber(&self) -> Dispatch {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("wscengine"));
        Dispatch::new(tracing_subscriber::registry().with(layer.with_filter(ours())))
    }

    /// Sends what has not been sent, and ends the export. Blocks, for `limit` at most: do not call it on a thread
    /// that runs tasks.
    ///
    /// # Errors
    /// [`NotFlushed`]: the collector did not take all of it.
    pub fn close(self, limit: Duration) -> Result<(), NotFlushed> {
        let (report, result) = mpsc::channel();
        // The provider's own limits hold for each batch, not for all of them.
        thread::spawn(move || {
            let flushed = self.provider.force_flush();
            let _ = self.provider.shutdown_with_timeout(limit);
            let _ = report.send(flushed);
        });
        match result.recv_timeout(limit) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(NotFlushed(error.to_string())),
            Err(_) => Err(NotFlushed(format!("no answer within {limit:?}"))),
        }
    }
}

/// Some spans are lost.
#[derive(Debug, thiserror::Error)]
#[error("traces were not exported: {0}")]
pub struct NotFlushed(String);

fn exporter(settings: &Settings, runtime: &Handle) -> Result<SpanExporter, ExporterBuildError> {
    match settings.protocol {
        Protocol::Grpc => {
            let _carried_by = runtime.enter();
            SpanExporter::builder().with_tonic().with_endpoint(&settings.endpoint).build()
        }
        _ => {
            let endpoint = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/'));
            SpanExporter::builder()
                .with_http()
                .with_protocol(settings.protocol)
                .with_endpoint(endpoint)
                .build()
        }
    }
}

/// What is exported. Not the exporter's own spans (h2 and tonic make some), which would be exported in turn, for ever.
fn ours() -> Targets {
    Targets::new().with_target("wscengine", Level::DEBUG).with_target("examples", Level::DEBUG)
}

/// Says on the standard error output that nothing arrives, once.
struct Warning<E> {
    exporter: E,
    warned: Arc<AtomicBool>,
}

impl<E: Export> Export for Warning<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        if let Err(error) = &result
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            eprintln!("warning: traces cannot be exported: {error}");
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E> fmt::Debug for Warning<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warning").finish_non_exhaustive()
    }
}
