//! The same code compiled for what the processor at hand has. The crate's only unsafe code.
#![allow(unsafe_code)]

/// Work that is compiled once for each kind of processor.
pub trait Job {
    /// What it gives.
    type Output;

    /// Does it. `FUSED`: the processor multiplies and adds in one instruction.
    ///
    /// To be marked `#[inline(always)]`, as all that it calls in its inner loops: what is not
    /// inlined is compiled for the oldest processor.
    fn run<const FUSED: bool>(self) -> Self::Output;
}

/// Does the job with the widest vectors that there are here.
pub fn dispatch<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has what the function was compiled for.
            return unsafe { on_avx512(job) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: as above.
            return unsafe { on_avx2(job) };
        }
    }
    // Every aarch64 has it; elsewhere a fused product may be a slow call.
    job.run::<{ cfg!(target_arch = "aarch64") }>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn on_avx512<J: Job>(job: J) -> J::Output {
    job.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2<J: Job>(job: J) -> J::Output {
    job.run::<true>()
}
