//! The program's interface, from its IDL: so a new instruction is fuzzed without a line here.

use anchor_lang::prelude::Pubkey;
use serde_json::Value;

/// The IDL as it is committed.
const TEXT: &str = include_str!("../../../../idl/coordinator.json");

/// An instruction.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Its name.
    pub name: String,
    /// What its data begins with.
    pub discriminator: Vec<u8>,
    /// Its accounts, in order.
    pub accounts: Vec<Named>,
    /// Names and types of its arguments.
    pub args: Vec<(String, Value)>,
}

/// An account of an instruction.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Whether it signs.
    pub signer: bool,
    /// Whether it is written.
    pub writable: bool,
    /// Whether the program's address in its place means none.
    pub optional: bool,
    /// Its address, where that is fixed.
    pub address: Option<Pubkey>,
    /// The seeds of its address, where the IDL names them.
    pub seeds: Vec<Seed>,
}

/// A seed of an address.
#[derive(Clone, Debug)]
pub enum Seed {
    /// These bytes.
    Const(Vec<u8>),
    /// The address of an account of the instruction, or a field of it.
    Account(String),
    /// An argument.
    Arg(String),
}

/// The whole interface.
#[derive(Debug)]
pub struct Idl {
    /// The instructions.
    pub instructions: Vec<Instruction>,
    types: Vec<Value>,
}

impl Idl {
    /// Reads it.
    ///
    /// # Panics
    /// If the file is not what the IDL's specification says.
    #[must_use]
    pub fn load() -> Self {
        let idl: Value = serde_json::from_str(TEXT).expect("idl/coordinator.json is JSON");
        Self {
            instructions: list(&idl["instructions"]).iter().map(instruction).collect(),
            types: list(&idl["types"]).to_vec(),
        }
    }

    /// The instruction of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Instruction> {
        self.instructions.iter().find(|one| one.name == name)
    }

    /// The definition of a type.
    ///
    /// # Panics
    /// If there is none of this name.
    #[must_use]
    pub fn defined(&self, name: &str) -> &Value {
        let found = self.types.iter().find(|one| one["name"] == name);
        &found.expect("the IDL defines what it names")["type"]
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn bytes(value: &Value) -> Vec<u8> {
    let byte = |one: &Value| u8::try_from(one.as_u64().unwrap_or(0)).unwrap_or(0);
    list(value).iter().map(byte).collect()
}

fn instruction(value: &Value) -> Instruction {
    let args = list(&value["args"]).iter();
    Instruction {
        name: text(&value["name"]),
        discriminator: bytes(&value["discriminator"]),
        accounts: list(&value["accounts"]).iter().map(named).collect(),
        args: args
            .map(|one| (text(&one["name"]), one["type"].clone()))
            .collect(),
    }
}

fn named(value: &Value) -> Named {
    let yes = |key: &str| value[key].as_bool().unwrap_or(false);
    let seed = |one: &Value| match one["kind"].as_str() {
        Some("const") => Seed::Const(bytes(&one["value"])),
        Some("arg") => Seed::Arg(text(&one["path"])),
        _ => Seed::Account(text(&one["path"])),
    };
    Named {
        name: text(&value["name"]),
        signer: yes("signer"),
        writable: yes("writable"),
        optional: yes("optional"),
        address: value["address"].as_str().and_then(|one| one.parse().ok()),
        seeds: list(&value["pda"]["seeds"]).iter().map(seed).collect(),
    }
}
