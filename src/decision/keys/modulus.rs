//! What an RSA key must be like to be taken.
//!
//! The library underneath reads keys that it never verifies with afterwards, those a few bits too short among them. Here
//! they are refused where they are loaded, so that nobody has to find out from refused tokens.

use aws_lc_rs::rsa::PublicKey;

use super::KeyError;

/// The least and the most bits that signatures are verified with.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The odd primes up to 167, by which the fault of CVE-2017-15361 shows.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the key is long enough, short enough, and not of a generator whose keys are known to be broken.
pub(super) fn check(key: &PublicKey) -> Result<(), KeyError> {
    let modulus = key.modulus();
    let modulus = modulus.big_endian_without_leading_zero();
    let bits = bits(modulus);
    if bits < *BITS.start() {
        return Err(KeyError::ShortRsa(bits));
    }
    if bits > *BITS.end() {
        return Err(KeyError::LongRsa(bits));
    }
    if can_be_factored(modulus) { Err(KeyError::BrokenRsa) } else { Ok(()) }
}

fn bits(modulus: &[u8]) -> usize {
    let spare = modulus.first().map_or(0, |first| first.leading_zeros());
    modulus.len() * 8 - usize::try_from(spare).unwrap_or_default()
}

/// Whether the modulus is a product of primes as a library of Infineon made them (CVE-2017-15361): a power of 65537
/// modulo each small prime. Of sound moduli about one in 2^62 is.
fn can_be_factored(modulus: &[u8]) -> bool {
    PRIMES.into_iter().all(|prime| is_power_of_65537(remainder(modulus, prime), prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn is_power_of_65537(number: u32, prime: u32) -> bool {
    let next = |power: &u32| Some(power * (65537 % prime) % prime).filter(|next| *next != 1);
    std::iter::successors(Some(1), next).any(|power| power == number)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::{Algorithm, AlgorithmSet, Key};
    use super::*;

    fn taken(modulus: &[u8]) -> Result<Key, KeyError> {
        Key::rsa(None, modulus, &[1, 0, 1], AlgorithmSet::from_iter([Algorithm::RS256]))
    }

    /// An odd number of so many bits.
    fn number(bits: usize) -> Vec<u8> {
        let mut number = vec![0xff; bits.div_ceil(8)];
        number[0] >>= number.len() * 8 - bits;
        number
    }

    #[test]
    fn the_bits_of_the_modulus_count_and_not_its_bytes() {
        for short in [1024, 2040, 2041, 2047] {
            assert_eq!(taken(&number(short)).unwrap_err(), KeyError::ShortRsa(short));
        }
        for fitting in [2048, 2049, 4096, 8192] {
            assert!(taken(&number(fitting)).is_ok(), "{fitting}");
        }
        for long in [8193, 8200] {
            assert_eq!(taken(&number(long)).unwrap_err(), KeyError::LongRsa(long));
        }
    }

    #[test]
    fn a_modulus_that_can_be_factored_is_refused() {
        let vectors = include_str!("../../../tests/vectors/wycheproof/json_web_key_test.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let named = |name: &str| {
            let group =
                vectors["testGroups"].as_array().unwrap().iter().find(|group| group["comment"] == name).unwrap();
            URL_SAFE_NO_PAD.decode(group["public"]["keys"][0]["n"].as_str().unwrap()).unwrap()
        };
        assert_eq!(taken(&named("jws_rsa_roca_key")).unwrap_err(), KeyError::BrokenRsa);
        assert!(taken(&named("rs256")).is_ok());
    }

    #[test]
    fn powers_are_told_from_other_remainders() {
        // 65537 is 4 modulo 13, whose powers are 1, 4, 3, 12, 9 and 10.
        let powers: Vec<u32> = (0..13).filter(|number| is_power_of_65537(*number, 13)).collect();
        assert_eq!(powers, [1, 3, 4, 9, 10, 12]);
        assert_eq!(remainder(&[1, 2, 3], 13), 0x1_0203 % 13);
    }
}
