//! A certificate authority and what it issues.

use std::{fmt, net::IpAddr, path::Path, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Purpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose as Usage, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
    SerialNumber,
};
use secrecy::ExposeSecret as _;

use crate::{Certificate, PkiError, Validity, files, pem, subject};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A self-signed certificate authority with an ECDSA P-256 key. A clone is the same authority.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority, valid for ten years, kept nowhere.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate, or no key can be made.
    pub fn generate(common_name: &str) -> Result<Self, PkiError> {
        let key = generate_key(common_name)?;
        let certificate_pem = self_sign(common_name, &key)?;
        Self::from_parts(certificate_pem, key).map_err(|reason| PkiError::Certificate {
            subject: common_name.to_owned(),
            reason,
        })
    }

    /// The authority kept in `dir` as `ca.pem` and `ca-key.pem` (mode 0600), made when there is none.
    ///
    /// Processes that race get the same authority: the key file is created first and never replaced, and whichever
    /// certificate for that key is created first counts.
    ///
    /// # Errors
    /// When `dir` cannot be made or written, or its files hold something else than an authority that is still valid.
    pub fn load_or_create(dir: &Path, common_name: &str) -> Result<Self, PkiError> {
        files::create_dir(dir)?;
        let key_path = dir.join("ca-key.pem");
        let key_pem = files::read_or_create(&key_path, || {
            Ok(generate_key(common_name)?.serialize_pem().into())
        })?;
        let key =
            KeyPair::from_pkcs8_pem_and_sign_algo(key_pem.expose_secret(), &PKCS_ECDSA_P256_SHA256)
                .map_err(|_| PkiError::Content {
                    path: key_path,
                    reason: "not an ECDSA P-256 key in PKCS#8 PEM form".to_owned(),
                })?;
        let path = dir.join("ca.pem");
        let certificate_pem =
            files::read_or_create(&path, || Ok(self_sign(common_name, &key)?.into()))?;
        Self::from_parts(certificate_pem.expose_secret().to_owned(), key)
            .map_err(|reason| PkiError::Content { path, reason })
    }

    fn from_parts(certificate_pem: String, key: KeyPair) -> Result<Self, String> {
        let certificates =
            pem::certificates(&certificate_pem).map_err(|error| error.to_string())?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificates[0])
            .map_err(|error| error.to_string())?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err("the certificate belongs to another key than ca-key.pem".to_owned());
        }
        if !parsed.validity().is_valid() {
            return Err(format!(
                "the certificate is valid until {} only",
                parsed.validity().not_after
            ));
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificates[0], key).map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(Inner {
            certificate_pem,
            issuer,
        })))
    }

    /// The authority's own certificate, for whoever shall trust it.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.0.certificate_pem
    }

    /// A server certificate for these IP addresses and DNS names (the first is the common name too), valid from an
    /// hour ago for a year.
    ///
    /// # Errors
    /// When a name is neither an IP address nor a DNS name.
    pub fn server_certificate(&self, names: &[&str]) -> Result<Certificate, PkiError> {
        self.server_certificate_with(names, Validity::from_now(YEAR))
    }

    /// The same with a validity of the caller's choice, such as one that is over.
    ///
    /// # Errors
    /// As [`Authority::server_certificate`].
    pub fn server_certificate_with(
        &self,
        names: &[&str],
        validity: Validity,
    ) -> Result<Certificate, PkiError> {
        let common_name = names.first().copied().unwrap_or_default();
        let mut params = leaf(common_name, validity, Purpose::ServerAuth)?;
        params.subject_alt_names = names
            .iter()
            .map(|name| alt_name(name))
            .collect::<Result<_, _>>()?;
        let key = generate_key(common_name)?;
        let certificate = params
            .signed_by(&key, &self.0.issuer)
            .map_err(|error| failed(common_name, &error))?;
        Ok(Certificate {
            pem: certificate.pem(),
            key_pem: key.serialize_pem().into(),
        })
    }

    /// A client certificate: to Kubernetes the common name is the user, each organization a group
    /// (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates>). Valid
    /// from an hour ago until `lifetime` from now.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn client_certificate(
        &self,
        common_name: &str,
        organizations: &[String],
        lifetime: Duration,
    ) -> Result<Certificate, PkiError> {
        self.client_certificate_with(common_name, organizations, Validity::from_now(lifetime))
    }

    /// The same with a validity of the caller's choice, such as one that is over.
    ///
    /// # Errors
    /// As [`Authority::client_certificate`].
    pub fn client_certificate_with(
        &self,
        common_name: &str,
        organizations: &[String],
        validity: Validity,
    ) -> Result<Certificate, PkiError> {
        let params = leaf(common_name, validity, Purpose::ClientAuth)?;
        let key = generate_key(common_name)?;
        let stand_in = params
            .signed_by(&key, &self.0.issuer)
            .map_err(|error| failed(common_name, &error))?;
        let der = subject::replace(
            stand_in.der(),
            common_name,
            organizations,
            self.0.issuer.key(),
        )?;
        Ok(Certificate {
            pem: pem::encode("CERTIFICATE", &der),
            key_pem: key.serialize_pem().into(),
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("issuer", &self.0.issuer)
            .finish_non_exhaustive()
    }
}

fn self_sign(common_name: &str, key: &KeyPair) -> Result<String, PkiError> {
    let mut params = base(common_name, Validity::from_now(10 * YEAR))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![Usage::DigitalSignature, Usage::KeyCertSign, Usage::CrlSign];
    let certificate = params
        .self_signed(key)
        .map_err(|error| failed(common_name, &error))?;
    Ok(certificate.pem())
}

fn leaf(
    common_name: &str,
    validity: Validity,
    purpose: Purpose,
) -> Result<CertificateParams, PkiError> {
    let mut params = base(common_name, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![Usage::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    Ok(params)
}

/// The authority key identifier tells two authorities of the same name apart (RFC 5280 section 4.2.1.1).
fn base(common_name: &str, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.serial_number = Some(serial_number(common_name)?);
    params.not_before = validity.not_before.into();
    params.not_after = validity.not_after.into();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 127 random bits: positive and of at most 20 octets, as RFC 5280 section 4.1.2.2 wants.
fn serial_number(common_name: &str) -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|error| failed(common_name, &error))?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn alt_name(name: &str) -> Result<SanType, PkiError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    rustls_pki_types::DnsName::try_from(name.strip_prefix("*.").unwrap_or(name))
        .ok()
        .and_then(|_| name.try_into().ok())
        .map(SanType::DnsName)
        .ok_or_else(|| PkiError::Name(name.to_owned()))
}

pub(crate) fn generate_key(subject: &str) -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| failed(subject, &error))
}

fn failed(subject: &str, error: &dyn fmt::Display) -> PkiError {
    PkiError::Certificate {
        subject: subject.to_owned(),
        reason: error.to_string(),
    }
}
