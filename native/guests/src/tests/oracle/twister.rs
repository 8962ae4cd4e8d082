//! The Mersenne Twister (M. Matsumoto, T. Nishimura; mt19937ar), by which qemu makes what is random under `-seed`: so a test
//! knows which keys its guest has.

const N: usize = 624;

pub struct Twister {
    state: [u32; N],
    at: usize,
}

impl Twister {
    /// `init_by_array` of the reference implementation.
    pub fn of(seeds: &[u32]) -> Self {
        let mut s = [0u32; N];
        s[0] = 19_650_218;
        for n in 1..N {
            s[n] = (s[n - 1] ^ s[n - 1] >> 30)
                .wrapping_mul(1_812_433_253)
                .wrapping_add(n as u32);
        }
        let (mut i, mut j) = (1, 0);
        let step = |s: &mut [u32; N], i: &mut usize| {
            *i += 1;
            if *i >= N {
                s[0] = s[N - 1];
                *i = 1;
            }
        };
        for _ in 0..N.max(seeds.len()) {
            s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30).wrapping_mul(1_664_525))
                .wrapping_add(seeds[j])
                .wrapping_add(j as u32);
            step(&mut s, &mut i);
            j = (j + 1) % seeds.len();
        }
        for _ in 1..N {
            s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30).wrapping_mul(1_566_083_941))
                .wrapping_sub(i as u32);
            step(&mut s, &mut i);
        }
        s[0] = 1 << 31;
        Self { state: s, at: N }
    }

    pub fn next(&mut self) -> u32 {
        if self.at == N {
            for n in 0..N {
                let y = self.state[n] & 1 << 31 | self.state[(n + 1) % N] & !(1 << 31);
                let odd = if y & 1 != 0 { 0x9908_b0df } else { 0 };
                self.state[n] = self.state[(n + 397) % N] ^ y >> 1 ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }
}

/// What `init_by_array` of mt19937ar.out begins with.
#[test]
fn the_twister_gives_the_published_numbers() {
    let mut t = Twister::of(&[0x123, 0x234, 0x345, 0x456]);
    let first: [u32; 4] = std::array::from_fn(|_| t.next());
    assert_eq!(
        first,
        [1_067_595_299, 955_945_823, 477_289_528, 4_107_218_783]
    );
}
