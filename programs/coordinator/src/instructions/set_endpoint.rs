//! `set_endpoint`.

use anchor_lang::prelude::*;

use super::{join::set_address, now, open, open_mut};
use crate::{
    errors::CoordinatorError,
    events::EndpointChanged,
    state::{entries_mut, Participant, Roster, RosterEntry, Run},
    world::member,
};

/// Arguments of `set_endpoint`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetEndpointArgs {
    /// The member's slot.
    pub slot: u16,
    /// The node's public key.
    pub node_key: [u8; 32],
    /// Where the node is found, at most 96 bytes; may be empty.
    pub address: String,
}

/// What `set_endpoint` needs.
#[derive(Accounts)]
pub struct SetEndpoint<'info> {
    /// The member's wallet.
    pub wallet: Signer<'info>,
    /// The run.
    #[account(has_one = roster @ CoordinatorError::WrongAccount)]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut)]
    pub roster: AccountLoader<'info, Roster>,
    /// The wallet's account in the run.
    #[account(
        mut,
        has_one = wallet @ CoordinatorError::WrongAccount,
        has_one = run @ CoordinatorError::WrongAccount,
    )]
    pub participant: AccountLoader<'info, Participant>,
}

/// See [`crate::coordinator::set_endpoint`].
///
/// # Errors
/// As documented there.
pub fn set_endpoint(ctx: &Context<SetEndpoint>, args: &SetEndpointArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let (wallet, run) = (accounts.wallet.key(), accounts.run.key());
    let mut participant = open_mut(&accounts.participant)?;
    let address_before = address(&participant);
    set_address(&mut participant, &args.node_key, &args.address)?;
    change_entry(
        &accounts.run,
        &accounts.roster,
        args.slot,
        &wallet,
        |entry| {
            let node_key_before = core::mem::replace(&mut entry.node_key, args.node_key);
            emit!(EndpointChanged {
                run,
                slot: args.slot,
                member_id: entry.member_id,
                node_key_before,
                node_key_after: args.node_key,
                address_before,
                address_after: args.address.clone(),
            });
        },
    )
}

fn address(participant: &Participant) -> String {
    let used = participant
        .address
        .get(..usize::from(participant.address_len));
    String::from_utf8_lossy(used.unwrap_or_default()).into_owned()
}

/// Lets `change` change the entry of a slot that `wallet` holds.
///
/// # Errors
/// `UnknownSlot`, `NotYourSlot`, `NotAMember`, `RunIncomplete`.
pub fn change_entry(
    run: &AccountLoader<Run>,
    roster: &AccountLoader<Roster>,
    slot: u16,
    wallet: &Pubkey,
    change: impl FnOnce(&mut RosterEntry),
) -> Result<()> {
    let now = now()?;
    let run = open(run)?;
    let mut data = roster.as_ref().try_borrow_mut_data()?;
    let entry = member(entries_mut(&mut data, run.capacity)?, slot, wallet)?;
    entry.last_seen = now.time;
    entry.last_seen_slot = now.chain_slot;
    change(entry);
    Ok(())
}
