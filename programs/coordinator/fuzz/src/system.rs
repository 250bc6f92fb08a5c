//! As much of the system program as the program calls.

use anchor_lang::{
    prelude::{AccountInfo, ProgramError, Pubkey},
    solana_program::{entrypoint::ProgramResult, instruction::Instruction},
    system_program,
};

const CREATE_ACCOUNT: u32 = 0;
const ASSIGN: u32 = 1;
const TRANSFER: u32 = 2;
const ALLOCATE: u32 = 8;

/// Does what an instruction of the system program says.
///
/// # Errors
/// What the system program would refuse.
pub fn invoke(
    instruction: &Instruction,
    infos: &[AccountInfo],
    seeds: &[&[&[u8]]],
) -> ProgramResult {
    if instruction.program_id != system_program::ID {
        return Err(ProgramError::IncorrectProgramId);
    }
    let derived: Vec<Pubkey> = seeds
        .iter()
        .filter_map(|seeds| Pubkey::create_program_address(seeds, &coordinator::ID).ok())
        .collect();
    let mut named = Vec::new();
    for meta in &instruction.accounts {
        let info = infos.iter().find(|info| *info.key == meta.pubkey);
        let info = info.ok_or(ProgramError::NotEnoughAccountKeys)?;
        let signs = info.is_signer || derived.contains(info.key);
        if meta.is_signer && !signs || meta.is_writable && !info.is_writable {
            return Err(ProgramError::MissingRequiredSignature);
        }
        named.push(info);
    }
    let mut words = Reader(&instruction.data);
    let first = *named.first().ok_or(ProgramError::NotEnoughAccountKeys)?;
    let second = named.get(1).copied();
    match words.u32()? {
        TRANSFER => transfer(first, second, words.u64()?),
        CREATE_ACCOUNT => {
            let (lamports, space) = (words.u64()?, words.u64()?);
            let second = second.ok_or(ProgramError::NotEnoughAccountKeys)?;
            if second.lamports() > 0 {
                return Err(ProgramError::AccountAlreadyInitialized);
            }
            transfer(first, Some(second), lamports)?;
            allocate(second, space)?;
            assign(second, &words.key()?)
        }
        ALLOCATE => allocate(first, words.u64()?),
        ASSIGN => assign(first, &words.key()?),
        _ => Err(ProgramError::InvalidInstructionData),
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ProgramError> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(ProgramError::InvalidInstructionData)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, ProgramError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, ProgramError> {
        self.take().map(u64::from_le_bytes)
    }

    fn key(&mut self) -> Result<Pubkey, ProgramError> {
        self.take::<32>().map(Pubkey::from)
    }
}

fn transfer(from: &AccountInfo, to: Option<&AccountInfo>, lamports: u64) -> ProgramResult {
    let to = to.ok_or(ProgramError::NotEnoughAccountKeys)?;
    if *from.owner != system_program::ID || !from.data_is_empty() {
        return Err(ProgramError::InvalidArgument);
    }
    let left = from.lamports().checked_sub(lamports);
    **from.try_borrow_mut_lamports()? = left.ok_or(ProgramError::InsufficientFunds)?;
    let sum = to.lamports().checked_add(lamports);
    **to.try_borrow_mut_lamports()? = sum.ok_or(ProgramError::ArithmeticOverflow)?;
    Ok(())
}

fn allocate(account: &AccountInfo, space: u64) -> ProgramResult {
    if *account.owner != system_program::ID || !account.data_is_empty() {
        return Err(ProgramError::AccountAlreadyInitialized);
    }
    account.resize(usize::try_from(space).map_err(|_| ProgramError::InvalidRealloc)?)
}

fn assign(account: &AccountInfo, owner: &Pubkey) -> ProgramResult {
    if *account.owner != system_program::ID {
        return Err(ProgramError::IllegalOwner);
    }
    account.assign(owner);
    Ok(())
}
