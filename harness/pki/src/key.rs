//! Private keys that sign tokens.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
        RsaKeyPair,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::{Algorithm, PkiError, jwk, pem};

/// A private key bound to one algorithm. RSA keys have 2048 bits.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    jwk: Value,
    public_key_pem: String,
    private_key_pem: SecretString,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// What the libraries of a family want to know about an algorithm.
enum Family {
    Rsa(&'static dyn RsaEncoding),
    Ecdsa(&'static EcdsaSigningAlgorithm, &'static str),
    Ed25519,
}

fn family(algorithm: Algorithm) -> Family {
    match algorithm {
        Algorithm::RS256 => Family::Rsa(&signature::RSA_PKCS1_SHA256),
        Algorithm::RS384 => Family::Rsa(&signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => Family::Rsa(&signature::RSA_PKCS1_SHA512),
        Algorithm::PS256 => Family::Rsa(&signature::RSA_PSS_SHA256),
        Algorithm::PS384 => Family::Rsa(&signature::RSA_PSS_SHA384),
        Algorithm::PS512 => Family::Rsa(&signature::RSA_PSS_SHA512),
        Algorithm::ES256 => Family::Ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
        Algorithm::ES384 => Family::Ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
        Algorithm::ES512 => Family::Ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
        Algorithm::EdDSA => Family::Ed25519,
    }
}

impl SigningKey {
    /// A new key. For RSA this may take up to a second.
    ///
    /// # Errors
    /// When the library fails to make one.
    pub fn generate(algorithm: Algorithm) -> Result<Self, PkiError> {
        let failed = |_| refused(algorithm, "it could not be generated");
        let der = match family(algorithm) {
            Family::Rsa(_) => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                pair.as_der().map_err(failed)?.as_ref().to_vec()
            }
            Family::Ecdsa(signing, _) => {
                let pair = EcdsaKeyPair::generate(signing).map_err(failed)?;
                pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
            }
            Family::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
            }
        };
        Self::from_pkcs8_pem(algorithm, pem::encode("PRIVATE KEY", &der).into())
    }

    /// A key from PKCS#8 PEM text.
    ///
    /// # Errors
    /// When the text holds no key that fits the algorithm.
    pub fn from_pkcs8_pem(
        algorithm: Algorithm,
        private_key_pem: SecretString,
    ) -> Result<Self, PkiError> {
        let der = pem::pkcs8(private_key_pem.expose_secret())?;
        let der = der.secret_pkcs8_der();
        let unfit = |error: &dyn fmt::Display| {
            refused(algorithm, &format!("not a fitting PKCS#8 key: {error}"))
        };
        let unwritten = |_| refused(algorithm, "its public key cannot be written");
        let (pair, members, public) = match family(algorithm) {
            Family::Rsa(encoding) => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|error| unfit(&error))?;
                let key = pair.public_key();
                let members = jwk::rsa(
                    key.modulus().big_endian_without_leading_zero(),
                    key.exponent().big_endian_without_leading_zero(),
                );
                let public = key.as_der().map_err(unwritten)?.as_ref().to_vec();
                (Pair::Rsa(pair, encoding), members, public)
            }
            Family::Ecdsa(signing, curve) => {
                let pair = EcdsaKeyPair::from_pkcs8(signing, der).map_err(|error| unfit(&error))?;
                let members = jwk::ec(curve, pair.public_key().as_ref());
                let public = pair
                    .public_key()
                    .as_der()
                    .map_err(unwritten)?
                    .as_ref()
                    .to_vec();
                (Pair::Ecdsa(pair), members, public)
            }
            Family::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|error| unfit(&error))?;
                let members = jwk::ed25519(pair.public_key().as_ref());
                let public = pair
                    .public_key()
                    .as_der()
                    .map_err(unwritten)?
                    .as_ref()
                    .to_vec();
                (Pair::Ed25519(pair), members, public)
            }
        };
        let kid = jwk::thumbprint(&members);
        let mut jwk = members;
        jwk["use"] = "sig".into();
        jwk["alg"] = algorithm.name().into();
        jwk["kid"] = kid.as_str().into();
        Ok(Self {
            algorithm,
            kid,
            jwk,
            public_key_pem: pem::encode("PUBLIC KEY", &public),
            private_key_pem,
            pair,
        })
    }

    /// The key's name: its thumbprint (RFC 7638), the same in every process.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The signature in the form a JWS holds: for ECDSA the two numbers side by side (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// When the library fails to sign.
    pub fn sign(&self, input: &[u8]) -> Result<Vec<u8>, PkiError> {
        let failed = |_| refused(self.algorithm, "it could not sign");
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), input, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair
                .sign(&SystemRandom::new(), input)
                .map_err(failed)?
                .as_ref()
                .to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(input).map_err(failed)?.as_ref().to_vec()),
        }
    }

    /// The public key as a JSON Web Key with `use`, `alg` and `kid` (RFC 7517), ready for a key set.
    #[must_use]
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// The public key as a SubjectPublicKeyInfo PEM block (RFC 7468 section 13).
    #[must_use]
    pub fn public_key_pem(&self) -> &str {
        &self.public_key_pem
    }

    /// The private key as a PKCS#8 PEM block (RFC 7468 section 10).
    #[must_use]
    pub fn private_key_pem(&self) -> &SecretString {
        &self.private_key_pem
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

fn refused(algorithm: Algorithm, reason: &str) -> PkiError {
    PkiError::Key {
        algorithm,
        reason: reason.to_owned(),
    }
}
