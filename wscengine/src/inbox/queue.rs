//! Items in the order they were read, and what they come to.

use std::collections::VecDeque;

use crate::error::ReadError;
use crate::message::Message;

/// What was read.
#[derive(Debug)]
pub(crate) enum Item {
    /// With its key, where workers keep an order by key.
    Message(Message<'static>, u64),
    /// A read that failed in a way that the connection survives, and the number of good messages since the one
    /// before it.
    Error(ReadError, Option<u64>),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    errors: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Payload bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of them are errors.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    pub(super) fn get(&self, at: usize) -> Option<&Item> {
        self.items.get(at)
    }

    pub(super) fn append(&mut self, items: &mut Vec<Item>) {
        self.items.reserve(items.len());
        for item in items.drain(..) {
            self.bytes += item.len();
            self.errors += usize::from(item.is_error());
            self.items.push_back(item);
        }
    }

    /// Puts a message back where it was taken from.
    pub(super) fn put_back(&mut self, message: Message<'static>, key: u64) {
        self.bytes += message.len();
        self.items.push_front(Item::Message(message, key));
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<Item> {
        let item = self.items.remove(at)?;
        self.bytes -= item.len();
        self.errors -= usize::from(item.is_error());
        Some(item)
    }

    /// The first item, if it is a message: an error waits until all before it is handled.
    pub(super) fn pop_message(&mut self) -> Option<(Message<'static>, u64)> {
        match self.items.pop_front_if(|item| !item.is_error())? {
            Item::Message(message, key) => {
                self.bytes -= message.len();
                Some((message, key))
            }
            Item::Error(..) => None,
        }
    }

    /// The first item, if it is an error.
    pub(super) fn pop_error(&mut self) -> Option<(ReadError, Option<u64>)> {
        match self.items.pop_front_if(|item| item.is_error())? {
            Item::Error(error, since) => {
                self.errors -= 1;
                Some((error, since))
            }
            Item::Message(..) => None,
        }
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Message(message, _) => message.len(),
            Self::Error(..) => 0,
        }
    }

    fn is_error(&self) -> bool {
        matches!(self, Self::Error(..))
    }
}
