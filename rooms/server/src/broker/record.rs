//! What a node tells about itself: who is where, and that it lives.
//!
//! ```text
//! version, node (8 bytes), name, records; a record is its kind and its fields
//! ```
//!
//! A node that tells all of it begins with [`Record::Begin`] and ends with [`Record::Done`]: what it has not named
//! in between is no more. Records of one node reach the others in order.

use super::Place;
use super::wire::{Malformed, Reader, Writer};

const VERSION: u8 = 1;

/// One thing that a node tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// All that is to be known follows.
    Begin,
    /// That was all.
    Done,
    Came(Place<'a>, &'a str),
    Left(Place<'a>, &'a str),
    /// It lives.
    Beat(Load),
    /// The others are to tell all.
    Ask,
    /// It ends.
    Bye,
}

/// What a node has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) connections: u64,
    pub(crate) rooms: u64,
}

/// Records of one node, as they travel together.
#[derive(Debug)]
pub(crate) struct Records(Writer, usize);

impl Records {
    pub(crate) fn of(node: u64, name: &str) -> Self {
        let mut out = Writer::with_capacity(256);
        out.byte(VERSION).number(node).field(name);
        Self(out, 0)
    }

    pub(crate) fn push(&mut self, record: Record<'_>) {
        self.1 += 1;
        let out = &mut self.0;
        match record {
            Record::Begin => _ = out.byte(0),
            Record::Done => _ = out.byte(1),
            Record::Came(at, id) => _ = place(out.byte(2), at).field(id),
            Record::Left(at, id) => _ = place(out.byte(3), at).field(id),
            Record::Beat(load) => _ = out.byte(4).number(load.connections).number(load.rooms),
            Record::Ask => _ = out.byte(5),
            Record::Bye => _ = out.byte(6),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.1 == 0
    }

    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

fn place<'w>(out: &'w mut Writer, at: Place<'_>) -> &'w mut Writer {
    match at {
        Place::Server => out.byte(0),
        Place::Crowd(name) => out.byte(1).field(name),
        Place::Room(name) => out.byte(2).field(name),
    }
}

/// Records, read one after the other.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) node: u64,
    pub(crate) name: &'a str,
    from: Reader<'a>,
}

impl<'a> Told<'a> {
    /// Reads what comes before the records.
    ///
    /// # Errors
    /// It is none of this version.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut from = Reader::new(bytes);
        if from.byte()? != VERSION {
            return Err(Malformed);
        }
        Ok(Self { node: from.number()?, name: from.text()?, from })
    }

    fn record(&mut self) -> Result<Record<'a>, Malformed> {
        let from = &mut self.from;
        Ok(match from.byte()? {
            0 => Record::Begin,
            1 => Record::Done,
            2 => Record::Came(read_place(from)?, from.text()?),
            3 => Record::Left(read_place(from)?, from.text()?),
            4 => Record::Beat(Load { connections: from.number()?, rooms: from.number()? }),
            5 => Record::Ask,
            6 => Record::Bye,
            _ => return Err(Malformed),
        })
    }
}

fn read_place<'a>(from: &mut Reader<'a>) -> Result<Place<'a>, Malformed> {
    Ok(match from.byte()? {
        0 => Place::Server,
        1 => Place::Crowd(from.text()?),
        2 => Place::Room(from.text()?),
        _ => return Err(Malformed),
    })
}

/// Ends with the first that cannot be read.
impl<'a> Iterator for Told<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.from.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_err() {
            self.from = Reader::new(&[]);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: [Record<'_>; 9] = [
        Record::Begin,
        Record::Came(Place::Server, "a"),
        Record::Came(Place::Crowd("iris:0"), "a"),
        Record::Left(Place::Room("ü"), ""),
        Record::Came(Place::Room(""), "b"),
        Record::Beat(Load { connections: 1, rooms: u64::MAX }),
        Record::Ask,
        Record::Bye,
        Record::Done,
    ];

    #[test]
    fn records_are_read_as_they_were_told() {
        let mut records = Records::of(9, "node-a");
        assert!(records.is_empty());
        for record in RECORDS {
            records.push(record);
        }
        let bytes = records.into_bytes();
        let told = Told::read(&bytes).unwrap();
        assert_eq!((told.node, told.name), (9, "node-a"));
        let read: Vec<_> = told.map(Result::unwrap).collect();
        assert_eq!(read, RECORDS);
        for end in 0..bytes.len() {
            // Cut short: as many as are whole, then an error or the end.
            if let Ok(told) = Told::read(&bytes[..end]) {
                let whole = told.map_while(Result::ok).count();
                assert!(whole < RECORDS.len());
            }
        }
    }
}
