// crdt_yrs DATA run NAME...: the scenarios of bench/crdt/scenarios.mjs on yrs, one JSON line each.
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use yrs::updates::decoder::Decode;
use yrs::{Any, Array, Doc, GetString, Map, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, Update};

const N: u32 = 6000;
const CLIENTS: u32 = 1540;
const ID: u64 = 2654435761;

struct Mulberry(u32);

impl Mulberry {
    fn below(&mut self, bound: u64) -> u32 {
        self.0 = self.0.wrapping_add(0x6d2b79f5);
        let a = self.0;
        let mut t = (a ^ (a >> 15)).wrapping_mul(1 | a);
        t = t.wrapping_add((t ^ (t >> 7)).wrapping_mul(61 | t)) ^ t;
        (((t ^ (t >> 14)) as u64 * bound) >> 32) as u32
    }
    fn word(&mut self, low: u32, high: u32) -> String {
        let n = low + self.below((high - low + 1) as u64);
        (0..n).map(|_| (b'a' + self.below(26) as u8) as char).collect()
    }
}

type Updates = Arc<Mutex<Vec<Vec<u8>>>>;

fn doc(client: u64) -> Doc {
    let mut options = Options::with_client_id(yrs::ClientID::new(ID + client));
    options.offset_kind = OffsetKind::Utf16;
    Doc::with_options(options)
}

fn recording(client: u64) -> (Doc, Updates) {
    let made = doc(client);
    let updates: Updates = Arc::default();
    let sink = updates.clone();
    made.observe_update_v1("bench", move |_, event| sink.lock().unwrap().push(event.update.clone())).unwrap();
    (made, updates)
}

fn apply_all(to: &Doc, updates: &[Vec<u8>]) {
    for update in updates {
        to.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }
}

fn state(of: &Doc) -> usize {
    of.transact().encode_state_as_update_v1(&StateVector::default()).len()
}

struct Edit {
    index: u32,
    remove: u32,
    insert: String,
}

fn play(on: &Doc, edits: &[Edit]) {
    let text = on.get_or_insert_text("text");
    for edit in edits {
        let mut txn = on.transact_mut();
        if edit.remove > 0 {
            text.remove_range(&mut txn, edit.index, edit.remove);
        }
        if !edit.insert.is_empty() {
            text.insert(&mut txn, edit.index, &edit.insert);
        }
    }
}

fn insert(index: u32, insert: String) -> Edit {
    Edit { index, remove: 0, insert }
}

fn edits(name: &str) -> Option<Vec<Edit>> {
    Some(match name {
        "B1.1" => {
            let mut rng = Mulberry(2);
            (0..N).map(|i| insert(i, rng.word(1, 1))).collect()
        }
        "B1.2" => vec![insert(0, Mulberry(5).word(N, N))],
        "B1.3" => {
            let mut rng = Mulberry(2);
            (0..N).map(|_| insert(0, rng.word(1, 1))).collect()
        }
        "B1.4" | "B1.5" => {
            let size = if name == "B1.4" { 1 } else { 5 };
            let mut rng = Mulberry(1);
            (0..N)
                .map(|i| {
                    let index = rng.below((i * size + 1) as u64);
                    insert(index, rng.word(size, size))
                })
                .collect()
        }
        "B1.6" => vec![insert(0, Mulberry(5).word(N, N)), Edit { index: 0, remove: N, insert: String::new() }],
        "B1.7" => {
            let mut rng = Mulberry(4);
            let mut length = 0;
            (0..N)
                .map(|_| {
                    let index = rng.below(length as u64 + 1);
                    if length == index || rng.below(2) == 0 {
                        let word = rng.word(2, 10);
                        length += word.len() as u32;
                        return insert(index, word);
                    }
                    let remove = 1 + rng.below(9.min(length - index) as u64);
                    length -= remove;
                    Edit { index, remove, insert: String::new() }
                })
                .collect()
        }
        _ => return None,
    })
}

fn numbers() -> Vec<(u32, f64)> {
    let mut rng = Mulberry(3);
    (0..N)
        .map(|i| {
            let index = rng.below(i as u64 + 1);
            (index, rng.below(0x7fffffff) as f64)
        })
        .collect()
}

fn follow(write: impl Fn(&Doc)) -> usize {
    let (writer, updates) = recording(1);
    write(&writer);
    let reader = doc(2);
    apply_all(&reader, &updates.lock().unwrap());
    state(&reader)
}

fn crowd(count: u32, write: impl Fn(&Doc, u32)) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for i in 0..count {
        let (writer, updates) = recording(i as u64 + 1);
        write(&writer, i);
        all.append(&mut updates.lock().unwrap());
    }
    all
}

fn load(updates: &[Vec<u8>]) -> usize {
    let reader = doc(100000);
    apply_all(&reader, updates);
    state(&reader)
}

fn trace(path: &str) -> Vec<Edit> {
    let bytes = fs::read(path).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let size = u32_at(at + 8) as usize;
        let insert = String::from_utf8(bytes[at + 12..at + 12 + size].to_vec()).unwrap();
        all.push(Edit { index: u32_at(at), remove: u32_at(at + 4), insert });
        at += 12 + size;
    }
    all
}

fn framed(path: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let size = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        all.push(bytes[at + 4..at + 4 + size].to_vec());
        at += 4 + size;
    }
    all
}

fn typed() -> Vec<Vec<u8>> {
    let (writer, updates) = recording(1);
    let letters: Vec<Edit> = (0..4001).map(|i| insert(i, ((b'a' + (i % 26) as u8) as char).to_string())).collect();
    play(&writer, &letters);
    let all = updates.lock().unwrap().clone();
    all
}

type Run = Box<dyn Fn() -> usize>;

fn scenario(name: &str, data: &str) -> Option<Run> {
    if let Some(list) = edits(name) {
        return Some(Box::new(move || follow(|writer| play(writer, &list))));
    }
    let array_at = |index: fn(u32, u32) -> u32| -> Option<Run> {
        let list = numbers();
        Some(Box::new(move || {
            follow(|writer| {
                let array = writer.get_or_insert_array("array");
                for (i, (at, value)) in list.iter().enumerate() {
                    array.insert(&mut writer.transact_mut(), index(i as u32, *at), *value);
                }
            })
        }))
    };
    let path = |file: &str| format!("{data}/{file}");
    let parse = |file: &str, v2: bool| -> Option<Run> {
        let stored = fs::read(path(file)).ok()?;
        Some(Box::new(move || {
            let reader = doc(2);
            let update = if v2 { Update::decode_v2(&stored) } else { Update::decode_v1(&stored) };
            reader.transact_mut().apply_update(update.unwrap()).unwrap();
            stored.len()
        }))
    };
    match name {
        "B1.8" => array_at(|i, _| i),
        "B1.9" => {
            let list: Vec<Any> = numbers().into_iter().map(|(_, value)| Any::from(value)).collect();
            Some(Box::new(move || {
                follow(|writer| {
                    let array = writer.get_or_insert_array("array");
                    array.insert_range(&mut writer.transact_mut(), 0, list.clone());
                })
            }))
        }
        "B1.10" => array_at(|_, _| 0),
        "B1.11" => array_at(|_, at| at),
        "B3.1" => Some(Box::new(|| {
            load(&crowd(CLIENTS, |writer, i| {
                writer.get_or_insert_map("map").insert(&mut writer.transact_mut(), "v", i);
            }))
        })),
        "B3.4" => Some(Box::new(|| {
            load(&crowd(CLIENTS, |writer, i| {
                writer.get_or_insert_array("array").insert(&mut writer.transact_mut(), 0, i.to_string());
            }))
        })),
        "same origin" => {
            let updates = crowd(4000, |writer, i| {
                writer.get_or_insert_array("array").insert(&mut writer.transact_mut(), 0, i);
            });
            Some(Box::new(move || load(&updates)))
        }
        "updates in order" => {
            let updates = typed();
            Some(Box::new(move || load(&updates)))
        }
        "updates behind one missing" => {
            let mut updates = typed();
            updates.rotate_left(1);
            Some(Box::new(move || load(&updates)))
        }
        "B4" => {
            let list = trace(&path("b4.trace"));
            Some(Box::new(move || {
                let (writer, _updates) = recording(1);
                play(&writer, &list);
                let text = writer.get_or_insert_text("text");
                let length = text.get_string(&writer.transact()).len();
                length
            }))
        }
        "B4 parse v1" => parse("b4.v1", false),
        "B4 parse v2" => parse("b4.v2", true),
        "alternating load" => parse("alternating.v1", false),
        "keystrokes merge" => {
            let updates = framed(&path("keystrokes"));
            Some(Box::new(move || yrs::merge_updates_v1(&updates).unwrap().len()))
        }
        _ => None,
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    for name in &words[3..] {
        let Some(run) = scenario(name, &words[1]) else { continue };
        let mut took = Vec::new();
        let mut bytes = 0;
        let began = Instant::now();
        while (began.elapsed().as_millis() < 300 || took.len() < 2) && took.len() < 40 && began.elapsed().as_secs() < 12 {
            let from = Instant::now();
            bytes = run();
            took.push(from.elapsed().as_secs_f64() * 1000.0);
        }
        if took.len() > 2 {
            took.remove(0);
        }
        took.sort_by(f64::total_cmp);
        println!("{{\"name\":\"{name}\",\"ms\":{:.4},\"runs\":{},\"bytes\":{bytes}}}", took[took.len() / 2], took.len());
    }
}
