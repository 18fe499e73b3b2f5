//! Certificate authorities, leaf certificates, signing keys, compact JWS, and the TLS endpoints made of them.
