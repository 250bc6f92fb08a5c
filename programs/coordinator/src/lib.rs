//! The coordinator: the referee of a training run.
//!
//! It says who takes part, who does what in each round, what each trainer committed to, and which
//! payloads are applied. Everything heavy moves between the clients.
//!
//! A member whose view says that its instruction makes a transition due passes `transition`, and
//! asks for the compute units of one; else it pays for its own word alone, and `tick` does the rest.
#![allow(unexpected_cfgs)]
#![allow(missing_docs)] // Anchor derives public items without any; the modules warn again.

use anchor_lang::prelude::*;

#[warn(missing_docs)]
pub mod errors;
#[warn(missing_docs)]
pub mod events;
pub mod instructions;
#[warn(missing_docs)]
pub mod machine;
#[warn(missing_docs)]
pub mod state;
#[warn(missing_docs)]
pub mod syscalls;
#[warn(missing_docs)]
pub mod transition;
#[warn(missing_docs)]
pub mod world;

mod security;

use instructions::*;

declare_id!("2mJkmgXBwYCSw5eZJabimiDyhNoc3UQ3y5M6GvhSdJiP");

/// The instructions.
#[program]
pub mod coordinator {
    use super::*;

    // The three that every round takes come first: discriminators are compared in this order.

    /// Makes what is due: entropy, transitions, drops.
    ///
    /// Authority: anyone. Errors: `TooEarly`.
    pub fn tick(ctx: Context<RunAccounts>) -> Result<()> {
        instructions::tick::tick(&ctx)
    }

    /// Commits to the payload of the round; the same again changes nothing.
    ///
    /// Authority: a trainer of the round, in Train. Errors: `WrongPhase`, `WrongRound`,
    /// `NotYourSlot`, `NotATrainer`, `TrainerGone`, `CommitmentDiffers`, `CommitmentZero`,
    /// `PayloadTooLarge`.
    pub fn commit(ctx: Context<MemberAccounts>, args: CommitArgs, transition: bool) -> Result<()> {
        instructions::commit::commit(&ctx, &args, transition)
    }

    /// Says which committed payloads a witness holds and checked; a repeat only adds.
    ///
    /// Authority: a witness of the target. Errors: `WrongPhase`, `WrongRound`, `NotYourSlot`,
    /// `EntropyNotStored`, `NothingToAttest`, `NotAWitness`, `BitFieldLength`, `BitNotCommitted`.
    pub fn attest(ctx: Context<MemberAccounts>, args: AttestArgs, transition: bool) -> Result<()> {
        instructions::attest::attest(&ctx, &args, transition)
    }

    /// Creates a run, Paused, with its roster and round records.
    ///
    /// Authority: anyone; the creator becomes the run's authority. Errors: the configuration's,
    /// `RunIdInvalid`, `ModelUriTooLong`, `DigestZero`.
    pub fn create_run(ctx: Context<CreateRun>, args: CreateRunArgs) -> Result<()> {
        instructions::create_run::create_run(&ctx, &args)
    }

    /// Lets roster and round records grow by at most 10,240 bytes each, until they are complete.
    ///
    /// Authority: who paid for `create_run`. Errors: `AlreadyComplete`.
    pub fn allocate(ctx: Context<Allocate>) -> Result<()> {
        instructions::allocate::allocate(&ctx)
    }

    /// Replaces the configuration while the run is Paused.
    ///
    /// Rates that wait for the next epoch are dropped: the configuration's count at once.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, the configuration's, `DataInUse`.
    pub fn update_config(ctx: Context<OwnerOfRun>, args: UpdateConfigArgs) -> Result<()> {
        instructions::update_config::update_config(&ctx, &args)
    }

    /// Replaces the hash and URI of model.json while the run is Paused.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, `ModelUriTooLong`.
    pub fn update_model(ctx: Context<OwnerOfRun>, args: UpdateModelArgs) -> Result<()> {
        instructions::update_model::update_model(&ctx, &args)
    }

    /// Replaces the text about the run.
    ///
    /// Authority: the run's. Errors: `MetadataTooLong`.
    pub fn update_metadata(ctx: Context<OwnerOfRun>, args: UpdateMetadataArgs) -> Result<()> {
        instructions::update_metadata::update_metadata(&ctx, &args)
    }

    /// Sets the points for sequences, attestations and verdicts, from the next epoch on.
    ///
    /// Authority: the run's.
    pub fn set_rates(ctx: Context<OwnerOfRun>, args: SetRatesArgs) -> Result<()> {
        instructions::set_rates::set_rates(&ctx, &args)
    }

    /// Proposes who shall own the run; zero withdraws the proposal.
    ///
    /// Authority: the run's. Errors: `AuthorityUnchanged`.
    pub fn set_authority(ctx: Context<OwnerOfRun>, args: SetAuthorityArgs) -> Result<()> {
        instructions::set_authority::set_authority(&ctx, &args)
    }

    /// Takes the run over.
    ///
    /// Authority: who was proposed by `set_authority`. Errors: `Unauthorized`.
    pub fn accept_authority(ctx: Context<AcceptAuthority>) -> Result<()> {
        instructions::accept_authority::accept_authority(&ctx)
    }

    /// Says whose passes joining needs from now on; none: anyone may join.
    ///
    /// Authority: the run's.
    pub fn set_join_authority(ctx: Context<OwnerOfRun>, args: SetJoinAuthorityArgs) -> Result<()> {
        instructions::set_join_authority::set_join_authority(&ctx, &args)
    }

    /// Permits a wallet to join until a time, or renews that permission.
    ///
    /// Authority: the run's join authority. Errors: `Unauthorized`, `PassExpiryPast`.
    pub fn issue_pass(ctx: Context<IssuePass>, args: IssuePassArgs) -> Result<()> {
        instructions::issue_pass::issue_pass(&ctx, &args)
    }

    /// Closes a pass; the rent goes back to who paid. Who is a member stays one.
    ///
    /// Authority: the run's join authority; and who paid, once the pass is over or the run is
    /// closed. Errors: `Unauthorized`.
    pub fn revoke_pass(ctx: Context<RevokePass>) -> Result<()> {
        instructions::revoke_pass::revoke_pass(&ctx)
    }

    /// Sets the parameters from which a paused run goes on: a new chain hash begins with them.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, `DigestZero`, `UriInvalid`.
    pub fn set_checkpoint(ctx: Context<OwnerAccounts>, args: SetCheckpointArgs) -> Result<()> {
        instructions::set_checkpoint::set_checkpoint(&ctx, &args)
    }

    /// Lets a paused run wait for members; Finished at once if all its steps were trained.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, `RunIncomplete`.
    pub fn resume(ctx: Context<OwnerAccounts>) -> Result<()> {
        instructions::resume::resume(&ctx)
    }

    /// Pauses at once where nothing is in flight, else after draining and Cooldown.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, `PauseAlreadyRequested`.
    pub fn pause(ctx: Context<OwnerAccounts>) -> Result<()> {
        instructions::pause::pause(&ctx)
    }

    /// Pauses a run that hangs; all that is in flight goes to the backlog.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, `TooEarly`.
    pub fn abort(ctx: Context<OwnerAccounts>) -> Result<()> {
        instructions::abort::abort(&ctx)
    }

    /// Closes the three accounts of a run without members; the rent goes back to who paid, and
    /// forfeited bonds with it.
    ///
    /// Authority: the run's. Errors: `WrongPhase`, `CreatedJustNow`, `MembersRemain`,
    /// `PointsRemain`, `BondsRemain`.
    pub fn close_run(ctx: Context<CloseRun>) -> Result<()> {
        instructions::close_run::close_run(&ctx)
    }

    /// Takes a free slot.
    ///
    /// Where the run has a join authority, it needs a pass by it that is not over. The run's bond
    /// is deposited.
    ///
    /// Authority: the wallet; the payer for the bond. Errors: `SlotTaken`, `AlreadyAMember`,
    /// `Barred`, `JoinAuthorityRequired`, `PassExpired`, `BondAboveLimit`, `WeightOutOfRange`,
    /// `NodeKeyZero`, `AddressTooLong`, `UnknownSlot`.
    pub fn join(ctx: Context<Join>, args: JoinArgs) -> Result<()> {
        instructions::join::join(&ctx, &args)
    }

    /// Changes the node's key and address.
    ///
    /// Authority: the member. Errors: `NotYourSlot`, `NodeKeyZero`, `AddressTooLong`.
    pub fn set_endpoint(ctx: Context<SetEndpoint>, args: SetEndpointArgs) -> Result<()> {
        instructions::set_endpoint::set_endpoint(&ctx, &args)
    }

    /// Changes the declared weight; the effective one follows with accepted rounds.
    ///
    /// Authority: the member. Errors: `NotYourSlot`, `WeightOutOfRange`.
    pub fn set_weight(ctx: Context<SetWeight>, args: SetWeightArgs) -> Result<()> {
        instructions::set_weight::set_weight(&ctx, &args)
    }

    /// Takes a run, its roster and its round records from the layout version before to this one.
    ///
    /// Authority: anyone: what it does is fixed. Errors: `AlreadyMigrated`, `WrongVersion`,
    /// `LayoutMismatch`.
    pub fn migrate(ctx: Context<RunAccounts>) -> Result<()> {
        instructions::migrate::migrate(&ctx)
    }

    /// Takes a participant from the layout version before to this one, after its run.
    ///
    /// Authority: anyone. Errors: `AlreadyMigrated`, `WrongVersion`, `WrongAccount`.
    pub fn migrate_participant(ctx: Context<MigrateParticipant>) -> Result<()> {
        instructions::migrate::migrate_participant(&ctx)
    }

    /// Says where the participant's points and returned bond go.
    ///
    /// Authority: the participant's wallet. Errors: `PayeeZero`.
    pub fn set_payee(ctx: Context<SetPayee>, args: SetPayeeArgs) -> Result<()> {
        instructions::set_payee::set_payee(&ctx, &args)
    }

    /// Moves what a slot's holder has on it to the holder's account: points, strikes. If the holder
    /// is gone, and no kept record names it, its bond goes to its payee, too, or is forfeited if it
    /// was ejected, and the slot is free.
    ///
    /// A bond that waits in the account goes to a payee that is named and can take it; then nothing
    /// need be on the slot.
    ///
    /// Authority: anyone. Errors: `UnknownSlot`, `NotTheHolder`, `NothingToCollect`.
    pub fn collect(ctx: Context<Collect>, args: CollectArgs) -> Result<()> {
        instructions::collect::collect(&ctx, &args)
    }

    /// Closes a participant's account; its rent goes back to who paid, a bond in it to the payee.
    ///
    /// Authority: the wallet. Errors: `SlotRemains`, `Barred`, `PayeeCannotTake`.
    pub fn close_participant(ctx: Context<CloseParticipant>) -> Result<()> {
        instructions::close_participant::close_participant(&ctx)
    }

    /// Says that the member holds the parameters and can train.
    ///
    /// Authority: the member, Joined or Behind. Errors: `WrongRound`, `NotYourSlot`,
    /// `WrongMemberState`, `UnknownDigest`, `UnknownChainHash`.
    pub fn ready(ctx: Context<MemberAccounts>, args: ReadyArgs, transition: bool) -> Result<()> {
        instructions::ready::ready(&ctx, &args, transition)
    }

    /// Says that the member cannot follow; it gets no roles until it is ready again.
    ///
    /// Authority: the member, Ready or Active. Errors: `WrongRound`, `NotYourSlot`,
    /// `WrongMemberState`.
    pub fn behind(ctx: Context<MemberAccounts>, args: MemberArgs, transition: bool) -> Result<()> {
        instructions::behind::behind(&ctx, &args, transition)
    }

    /// Gives the slot up at once.
    ///
    /// Authority: the member. Errors: `WrongRound`, `NotYourSlot`.
    pub fn leave(ctx: Context<MemberAccounts>, args: MemberArgs, transition: bool) -> Result<()> {
        instructions::leave::leave(&ctx, &args, transition)
    }

    /// Seals a vote on the parameters: sha256(digest, wallet).
    ///
    /// Authority: a member with a vote. Errors: `NoOpenVote`, `WrongRound`, `NotYourSlot`,
    /// `NoVote`, `VoteClosed`, `VoteDiffers`.
    pub fn attest_state(ctx: Context<MemberAccounts>, args: AttestStateArgs) -> Result<()> {
        instructions::attest_state::attest_state(&ctx, &args)
    }

    /// Opens a sealed vote on the parameters.
    ///
    /// Authority: a member that sealed one. Errors: `NoOpenVote`, `WrongRound`, `NotYourSlot`,
    /// `NoVote`, `VoteNotOpen`, `VoteMismatch`.
    pub fn reveal_state(ctx: Context<MemberAccounts>, args: RevealStateArgs) -> Result<()> {
        instructions::reveal_state::reveal_state(&ctx, &args)
    }

    /// Says that an accepted payload is nowhere to be had; once two thirds of the Active members
    /// said so it leaves the accepted set. The same again counts the voices anew.
    ///
    /// Authority: an Active member. Errors: `WrongRound`, `ComplaintClosed`, `NotYourSlot`,
    /// `WrongMemberState`, `NotAccepted`, `ComplaintSpent`.
    pub fn missing(ctx: Context<MemberAccounts>, args: MissingArgs) -> Result<()> {
        instructions::missing::missing(&ctx, &args)
    }

    /// Says what an audited payload is worth; that it fails calls a committee together.
    ///
    /// Authority: an auditor of the round, in the next one. Errors: `WrongPhase`, `WrongRound`,
    /// `NotYourSlot`, `VerdictClosed`, `AuditsNotDrawn`, `NotAVerifier`, `ScoreOutOfRange`,
    /// `ScoresFail`, `VerdictDiffers`.
    pub fn verdict(ctx: Context<MemberAccounts>, args: VerdictArgs) -> Result<()> {
        instructions::verdict::verdict(&ctx, &args)
    }

    /// Seals a committee member's verdict: sha256(verdict, salt, wallet).
    ///
    /// Authority: a seat of the committee. Errors: `WrongPhase`, `WrongRound`, `NotYourSlot`,
    /// `NotAVerifier`, `VerdictDiffers`, `VerdictClosed`.
    pub fn seal_verdict(ctx: Context<MemberAccounts>, args: SealVerdictArgs) -> Result<()> {
        instructions::seal_verdict::seal_verdict(&ctx, &args)
    }

    /// Opens a committee member's sealed verdict.
    ///
    /// Authority: a seat that sealed one. Errors: `WrongPhase`, `WrongRound`, `NotYourSlot`,
    /// `NotAVerifier`, `ScoreOutOfRange`, `ScoresFail`, `VerdictNotSealed`, `VerdictMismatch`,
    /// `VerdictNotOpen`, `VerdictClosed`.
    pub fn open_verdict(ctx: Context<MemberAccounts>, args: OpenVerdictArgs) -> Result<()> {
        instructions::open_verdict::open_verdict(&ctx, &args)
    }

    /// Publishes where the agreed parameters of the epoch lie; the same again changes nothing.
    ///
    /// Authority: a drawn publisher, from half of Cooldown on any member, that said the agreed
    /// digest. Errors: `WrongPhase`, `WrongRound`, `NotYourSlot`, `CheckpointNotAgreed`,
    /// `DigestNotSaid`, `UriInvalid`, `NotAPublisher`, `PublicationDiffers`, `PublicationsFull`.
    pub fn publish_checkpoint(
        ctx: Context<MemberAccounts>,
        args: PublishCheckpointArgs,
    ) -> Result<()> {
        instructions::publish_checkpoint::publish_checkpoint(&ctx, &args)
    }

    /// Says that manifest and drawn piece were fetched from a publisher and are right.
    ///
    /// Authority: another member that said the agreed digest. Errors: `WrongPhase`, `WrongRound`,
    /// `NotYourSlot`, `CheckpointNotAgreed`, `DigestNotSaid`, `NothingPublished`,
    /// `OwnPublication`.
    pub fn confirm_checkpoint(
        ctx: Context<MemberAccounts>,
        args: ConfirmCheckpointArgs,
    ) -> Result<()> {
        instructions::confirm_checkpoint::confirm_checkpoint(&ctx, &args)
    }
}
