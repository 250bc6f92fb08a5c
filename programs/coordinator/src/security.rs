//! Whom to tell of a fault, in a section of the program that explorers show.
//!
//! Who deploys the program names themselves here first: see docs/deployment.md.

#[cfg(not(feature = "no-entrypoint"))]
solana_security_txt::security_txt! {
    name: "Psyche coordinator",
    project_url: "not published: whoever deployed this program did not say",
    contacts: "other:private vulnerability reporting of the repository that the program was built from",
    policy: "SECURITY.md of that repository: no bounty yet, an answer within a week",
    auditors: "none"
}
