use crate::machine::phase::{abort_due, pause, resume, Moment, Pause, Phase};

const STARTED: Moment = Moment {
    time: 1_000,
    chain_slot: 5_000,
};

#[test]
fn owners_pause_resume_and_abort_where_they_may() {
    use Phase::{Cooldown, Finished, Paused, Train, WaitingForMembers, Warmup, Witness};
    let all = [
        Paused,
        WaitingForMembers,
        Warmup,
        Train,
        Witness,
        Cooldown,
        Finished,
    ];
    let after = |seconds: u32| Moment {
        time: STARTED.time + i64::from(seconds),
        chain_slot: STARTED.chain_slot + u64::from(seconds),
    };
    for phase in all {
        let expected = match phase {
            Paused => Pause::AlreadyPaused,
            WaitingForMembers | Warmup | Finished => Pause::Now,
            Train | Witness | Cooldown => Pause::Flagged,
        };
        assert_eq!(pause(phase), expected);
        let hangs = matches!(phase, Warmup | Train | Witness | Cooldown);
        assert!(!abort_due(phase, STARTED, 10, after(109)));
        assert_eq!(abort_due(phase, STARTED, 10, after(110)), hangs);
        assert_eq!(Phase::from_byte(phase as u8), Some(phase));
        assert_eq!(resume(phase, 1, 2).is_some(), phase == Paused);
    }
    assert_eq!(Phase::from_byte(7), None);
    assert_eq!(resume(Paused, 1, 2), Some(WaitingForMembers));
    assert_eq!(resume(Paused, 2, 2), Some(Finished));
}
