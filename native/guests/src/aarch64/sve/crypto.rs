//! Vector cryptography, and permutations within segments that come with it (FEAT_SVE_AES, SHA3, SM4).

use super::unit::{Done, Unit, Z};
use crate::ir::Op;
use crate::ir::ciphers::sm4;
use crate::ir::crypto;

impl Unit<'_> {
    /// Each 128 bits of two vectors.
    fn quads(&mut self, a: usize, b: usize, f: &dyn Fn(u128, u128) -> u128) -> Done {
        let (x, y) = (self.z(a), self.z(b));
        let mut r = Z::ZERO;
        for i in 0..self.bytes / 16 {
            r.put_quad(i, f(x.quad(i), y.quad(i)));
        }
        self.put_z(self.d(), &r);
        Ok(())
    }

    /// AESMC, AESIMC.
    pub fn aes_mix(&mut self, op: Op) -> Done {
        self.quads(self.d(), self.d(), &|a, _| crypto::eval(op, a, 0, 0, 0))
    }

    /// AESE, AESD.
    pub fn aes_round(&mut self, op: Op) -> Done {
        self.quads(self.d(), self.n(), &|a, key| {
            crypto::eval(op, a ^ key, 0, 0, 0)
        })
    }

    pub fn sm4_encode(&mut self) -> Done {
        self.quads(self.d(), self.n(), &|a, key| sm4(a, key, false))
    }

    pub fn sm4_key(&mut self) -> Done {
        self.quads(self.n(), self.m(), &|a, b| sm4(a, b, true))
    }

    /// RAX1.
    pub fn rotate_xor(&mut self) -> Done {
        let (a, b) = (self.z(self.n()), self.z(self.m()));
        self.every(64, self.d(), &mut |_, i| {
            a.get(i, 64) ^ b.get(i, 64).rotate_left(1)
        });
        Ok(())
    }
}
