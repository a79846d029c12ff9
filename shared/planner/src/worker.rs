//! How long a worker function takes for objects.
//!
//! An invocation is bound by one of three things. Small objects wait for S3: each takes the time of a GET and a PUT, and as
//! many overlap as the function's memory allows. Large objects flow: through the network, or through the processors, of
//! which a function has one for every 1,769 MB. So the time of a batch is the longest of the three, and the weight of an
//! object in a batch is the same in seconds: its bytes at the slower of network and processors, and a constant for itself.
//!
//! How much overlaps follows the worker's own rule (`docs/limits.md`, Memory of a function).

use crate::kind::Kind;
use crate::quota;
use crate::rates::Rates;
use job::Job;

/// Kept for the process itself.
const RESERVE_MB: u64 = 48;

/// An object of up to a MiB, expanded.
const SMALL_OBJECT_MB: u64 = 6;

/// Any other object, without its record buffers.
const LARGE_OBJECT_MB: u64 = 52;

/// Objects up to this size, expanded, are small.
const SMALL_BYTES: f64 = (1 << 20) as f64;

/// Most objects at the same time.
const MAX_IN_FLIGHT: u64 = 63;

/// What a worker of a job can do, by its memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    memory_mb: u64,
    record_mb: u64,
    cpus: f64,
    rates: Rates,
}

impl Worker {
    /// The worker of a job with the memory that the rates say.
    #[must_use]
    pub fn new(job: &Job, rates: &Rates) -> Self {
        let memory_mb = rates.worker.memory_mb;
        let cpus = memory_mb as f64 / quota::MEMORY_MB_OF_A_CPU as f64;
        let record_mb = 2 * job.limits.record_bytes.bytes().div_ceil(1 << 20);
        Self { memory_mb, record_mb, cpus, rates: rates.clone() }
    }

    /// The memory of the function in MB.
    #[must_use]
    pub fn memory_mb(&self) -> u64 {
        self.memory_mb
    }

    /// Expanded bytes of an object.
    fn expanded(&self, kind: Kind, size: f64) -> f64 {
        if kind == Kind::Compressed { size * self.rates.speeds.expansion } else { size }
    }

    /// Objects of this size that overlap.
    #[must_use]
    pub fn in_flight(&self, kind: Kind, size: f64) -> u64 {
        let budget = self.memory_mb.saturating_sub(RESERVE_MB);
        let weight =
            if self.expanded(kind, size) <= SMALL_BYTES { SMALL_OBJECT_MB } else { LARGE_OBJECT_MB + self.record_mb };
        (budget / weight).clamp(1, MAX_IN_FLIGHT)
    }

    /// Seconds for one byte of an object: reading and writing over the network, or the processors.
    #[must_use]
    pub fn seconds_of_a_byte(&self, kind: Kind) -> f64 {
        let speeds = &self.rates.speeds;
        let expansion = if kind == Kind::Compressed { speeds.expansion } else { 1.0 };
        let network = (1.0 + expansion * speeds.output_ratio) / speeds.network_bytes_per_second;
        let cpu = expansion / (speeds.cpu_bytes_per_second * self.cpus.max(f64::MIN_POSITIVE));
        network.max(cpu)
    }

    /// Seconds that an object takes however small it is, when others overlap with it.
    #[must_use]
    pub fn seconds_of_an_object(&self, kind: Kind, size: f64) -> f64 {
        let speeds = &self.rates.speeds;
        let waiting = (speeds.get_seconds + speeds.put_seconds) / self.in_flight(kind, size) as f64;
        waiting.max(speeds.object_cpu_seconds / self.cpus.max(f64::MIN_POSITIVE))
    }

    /// What an object, or a part of it, adds to the time of its batch, in seconds.
    #[must_use]
    pub fn weight(&self, kind: Kind, size: f64) -> f64 {
        self.seconds_of_an_object(kind, size) + size * self.seconds_of_a_byte(kind)
    }

    /// The bytes of an object of this kind that take so many seconds.
    #[must_use]
    pub fn bytes_in(&self, kind: Kind, seconds: f64) -> u64 {
        let large = self.seconds_of_an_object(kind, f64::MAX);
        ((seconds - large).max(0.0) / self.seconds_of_a_byte(kind)) as u64
    }

    /// The least time in which an object of this size can be read, whatever the model says.
    #[must_use]
    pub fn least_seconds(&self, size: u64) -> f64 {
        size as f64 / self.rates.speeds.network_ceiling_bytes_per_second
    }

    /// The memory with which the function costs least for objects like these: enough that objects overlap and that the
    /// processors keep up with the network, and no more. In steps of 64 MB.
    #[must_use]
    pub fn fitting_memory_mb(&self, kind: Kind, mean_size: f64) -> u64 {
        let speeds = &self.rates.speeds;
        let expansion = if kind == Kind::Compressed { speeds.expansion } else { 1.0 };
        let network_seconds = (1.0 + expansion * speeds.output_ratio) / speeds.network_bytes_per_second;
        let cpus = expansion / speeds.cpu_bytes_per_second / network_seconds;
        let for_cpu = (cpus * quota::MEMORY_MB_OF_A_CPU as f64).ceil() as u64;
        let for_objects = if self.expanded(kind, mean_size) <= SMALL_BYTES {
            RESERVE_MB + MAX_IN_FLIGHT * SMALL_OBJECT_MB
        } else {
            RESERVE_MB + 2 * (LARGE_OBJECT_MB + self.record_mb)
        };
        for_cpu.max(for_objects).div_ceil(64).saturating_mul(64).clamp(256, quota::FUNCTION_MEMORY.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(memory_mb: u64) -> Worker {
        let job = Job::parse("{version: 1, name: j, source: {bucket: raw}, output: {bucket: clean}}").unwrap();
        let rates = Rates::with_overrides(&format!("{{\"worker\": {{\"memory_mb\": {memory_mb}}}}}")).unwrap();
        Worker::new(&job, &rates)
    }

    #[test]
    fn small_objects_wait_and_large_ones_flow() {
        let worker = worker(1769);
        assert_eq!(worker.in_flight(Kind::Lines, 200_000.0), 63);
        let small = worker.weight(Kind::Lines, 1000.0);
        assert!((0.001..0.002).contains(&small), "{small}");
        let large = worker.weight(Kind::Lines, 1e9);
        assert!((18.0..20.0).contains(&large), "{large}");
        assert!(worker.weight(Kind::Compressed, 1e9) > 4.0 * large / 2.0);
    }

    #[test]
    fn less_memory_is_slower() {
        for kind in [Kind::Lines, Kind::Whole, Kind::Compressed] {
            for size in [0.0, 1e3, 1e6, 1e9] {
                assert!(worker(256).weight(kind, size) >= worker(1024).weight(kind, size), "{kind:?} {size}");
            }
        }
    }

    #[test]
    fn bytes_and_seconds_are_inverse() {
        let worker = worker(1769);
        for kind in [Kind::Lines, Kind::Compressed] {
            let bytes = worker.bytes_in(kind, 30.0);
            let seconds = worker.weight(kind, bytes as f64);
            assert!((29.9..=30.0001).contains(&seconds), "{kind:?} {seconds}");
        }
    }
}
