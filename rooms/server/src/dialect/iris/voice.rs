//! How iris clients are told what happens.

use std::sync::Arc;

use wscengine_rooms_protocol::iris::{Codec, Event, Frame, Value};
use wscengine_rooms_protocol::room;

use crate::hub::{Native, Voice};
use crate::ws::{Kind, Packet, WindowBits};

/// In which frames messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frames {
    /// Text, where it is UTF-8.
    Text,
    /// Binary, always.
    Binary,
}

#[derive(Debug)]
pub(super) struct IrisVoice {
    codec: Codec,
    frames: Frames,
    window: Option<WindowBits>,
}

/// One for those that are told plain messages, and one for each size of window of the others.
#[derive(Debug)]
pub(super) struct Voices {
    plain: Arc<IrisVoice>,
    compressed: [Arc<IrisVoice>; WindowBits::COUNT],
}

impl Voices {
    pub(super) fn new(codec: &Codec, frames: Frames) -> Self {
        let voice = |window| Arc::new(IrisVoice { codec: codec.clone(), frames, window });
        Self { plain: voice(None), compressed: WindowBits::all().map(|bits| voice(Some(bits))) }
    }

    pub(super) fn of(&self, window: Option<WindowBits>) -> &Arc<IrisVoice> {
        window.map_or(&self.plain, |bits| &self.compressed[bits.place()])
    }
}

impl IrisVoice {
    /// An event with a value; `None` if its name cannot be sent.
    pub(super) fn event(&self, name: &str, value: &Value<'_>) -> Option<Packet> {
        let data = value.data();
        self.packet(&Frame::Event(Event { name, kind: value.kind(), data: &data }))
    }

    /// A native message that does not begin with the prefix.
    pub(super) fn native_message(&self, message: &[u8]) -> Packet {
        self.framed(self.kind(message), message)
    }

    fn packet(&self, frame: &Frame<'_>) -> Option<Packet> {
        let len = self.codec.encoded_len(frame);
        let data = match frame {
            Frame::Native(bytes) => bytes,
            Frame::Event(event) => event.data,
        };
        let kind = self.kind(data);
        if self.window.is_some() {
            let mut payload = Vec::with_capacity(len);
            self.codec.encode_into(frame, &mut payload).ok()?;
            return Some(self.framed(kind, &payload));
        }
        let mut result = Ok(());
        let packet =
            Packet::message_with(kind, len, |out| result = self.codec.encode_into(frame, out));
        result.ok().map(|()| packet)
    }

    /// Names are text, so that it is the data that decides.
    fn kind(&self, data: &[u8]) -> Kind {
        let is_text = self.frames == Frames::Text && std::str::from_utf8(data).is_ok();
        if is_text { Kind::Text } else { Kind::Binary }
    }

    /// A ready message.
    pub(super) fn framed(&self, kind: Kind, payload: &[u8]) -> Packet {
        match self.window {
            None => Packet::message(kind, payload),
            Some(bits) => Packet::compressed(kind, payload, bits),
        }
    }
}

impl Voice for IrisVoice {
    fn message(&self, message: &room::Message<'_>) -> Option<Packet> {
        self.packet(&Frame::Event(message.iris()?))
    }

    fn emitted(&self, message: &room::Message<'_>, value: &Value<'_>) -> Option<Packet> {
        self.event(message.event, value)
    }

    fn native(&self, native: &Native<'_>) -> Option<Packet> {
        self.packet(&Frame::Native(native.data.plain()))
    }
}
