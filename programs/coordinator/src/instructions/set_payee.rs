//! `set_payee`.

use anchor_lang::prelude::*;

use super::open_mut;
use crate::{errors::CoordinatorError, events::PayeeChanged, state::Participant};

/// Arguments of `set_payee`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetPayeeArgs {
    /// Where points and a returned bond go from now on.
    pub payee: Pubkey,
}

/// What `set_payee` needs.
#[derive(Accounts)]
pub struct SetPayee<'info> {
    /// The participant's wallet.
    pub wallet: Signer<'info>,
    /// The wallet's account in a run, which may be closed already.
    #[account(mut, has_one = wallet @ CoordinatorError::WrongAccount)]
    pub participant: AccountLoader<'info, Participant>,
}

/// See [`crate::coordinator::set_payee`].
///
/// # Errors
/// As documented there.
pub fn set_payee(ctx: &Context<SetPayee>, args: &SetPayeeArgs) -> Result<()> {
    let mut participant = open_mut(&ctx.accounts.participant)?;
    require!(args.payee != Pubkey::default(), CoordinatorError::PayeeZero);
    let before = core::mem::replace(&mut participant.payee, args.payee);
    emit!(PayeeChanged {
        run: participant.run,
        wallet: participant.wallet,
        payee_before: before,
        payee_after: args.payee,
    });
    Ok(())
}
