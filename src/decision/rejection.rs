//! Why a request may not pass: the closed set of reasons.
//!
//! Log, metric, answer, `explain` and `[[test]]` all speak of a refusal by its [`Code`]. What was expected and what was
//! found travels beside it in [`Rejection::detail`], for the operator alone: it may quote names, times and
//! algorithms, never a token or a secret.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::keys::IssuerId;

/// The reason of a refusal, the same word everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// The path can be read in ways that no sound client means.
    PathAmbiguous,
    /// The request breaks a rule of HTTP that matters to whoever reads it next.
    RequestMalformed,
    /// More than one credential.
    CredentialAmbiguous,
    /// No Bearer credential where one is due.
    CredentialMissing,
    /// The token is no JWS of the permitted form.
    TokenMalformed,
    /// The `typ` of the token is not one the issuer issues.
    TokenType,
    /// The `alg` of the token is not one of the key's.
    AlgorithmNotAllowed,
    /// The token names a key that the issuer does not have.
    UnknownKey,
    /// The signature does not fit.
    SignatureInvalid,
    /// `exp` plus leeway is past.
    TokenExpired,
    /// `nbf` or `iat` lies ahead.
    TokenNotYetValid,
    /// `exp - iat` is longer than the issuer's tokens may live.
    TokenTooLongLived,
    /// A claim that must be there is not.
    ClaimMissing,
    /// A claim has the wrong type.
    ClaimMalformed,
    /// No issuer of the route issues under this `iss`.
    IssuerMismatch,
    /// None of the demanded audiences is in `aud`.
    AudienceMismatch,
    /// The token was taken back.
    TokenRevoked,
    /// The token is bound to a key that the sender did not prove.
    ProofInvalid,
    /// A demanded scope is not granted.
    ScopeInsufficient,
    /// A claim that the route demands is absent or different.
    ClaimMismatch,
    /// The route is closed.
    RouteDenied,
    /// The method is never served.
    MethodRefused,
    /// The request took too long to arrive.
    RequestTimeout,
    /// The body is larger than permitted.
    BodyTooLarge,
    /// Too many requests.
    RateExceeded,
    /// The head of the request is larger than permitted.
    HeadersTooLarge,
    /// Something broke inside.
    Internal,
    /// No connection to the upstream.
    UpstreamUnreachable,
    /// The upstream answered what is no answer.
    UpstreamInvalid,
    /// The keys to judge by cannot be had now.
    KeysUnavailable,
    /// The process is stopping.
    Draining,
    /// Too many connections.
    Overloaded,
    /// The upstream did not answer in time.
    UpstreamTimeout,
}

impl Code {
    /// Every code, by its status.
    pub const ALL: [Code; 33] = [
        Code::PathAmbiguous,
        Code::RequestMalformed,
        Code::CredentialAmbiguous,
        Code::CredentialMissing,
        Code::TokenMalformed,
        Code::TokenType,
        Code::AlgorithmNotAllowed,
        Code::UnknownKey,
        Code::SignatureInvalid,
        Code::TokenExpired,
        Code::TokenNotYetValid,
        Code::TokenTooLongLived,
        Code::ClaimMissing,
        Code::ClaimMalformed,
        Code::IssuerMismatch,
        Code::AudienceMismatch,
        Code::TokenRevoked,
        Code::ProofInvalid,
        Code::ScopeInsufficient,
        Code::ClaimMismatch,
        Code::RouteDenied,
        Code::MethodRefused,
        Code::RequestTimeout,
        Code::BodyTooLarge,
        Code::RateExceeded,
        Code::HeadersTooLarge,
        Code::Internal,
        Code::UpstreamUnreachable,
        Code::UpstreamInvalid,
        Code::KeysUnavailable,
        Code::Draining,
        Code::Overloaded,
        Code::UpstreamTimeout,
    ];

    /// The word by which log, metric, answer and test case call it.
    pub const fn name(self) -> &'static str {
        match self {
            Code::PathAmbiguous => "path_ambiguous",
            Code::RequestMalformed => "request_malformed",
            Code::CredentialAmbiguous => "credential_ambiguous",
            Code::CredentialMissing => "credential_missing",
            Code::TokenMalformed => "token_malformed",
            Code::TokenType => "token_type",
            Code::AlgorithmNotAllowed => "algorithm_not_allowed",
            Code::UnknownKey => "unknown_key",
            Code::SignatureInvalid => "signature_invalid",
            Code::TokenExpired => "token_expired",
            Code::TokenNotYetValid => "token_not_yet_valid",
            Code::TokenTooLongLived => "token_too_long_lived",
            Code::ClaimMissing => "claim_missing",
            Code::ClaimMalformed => "claim_malformed",
            Code::IssuerMismatch => "issuer_mismatch",
            Code::AudienceMismatch => "audience_mismatch",
            Code::TokenRevoked => "token_revoked",
            Code::ProofInvalid => "proof_invalid",
            Code::ScopeInsufficient => "scope_insufficient",
            Code::ClaimMismatch => "claim_mismatch",
            Code::RouteDenied => "route_denied",
            Code::MethodRefused => "method_refused",
            Code::RequestTimeout => "request_timeout",
            Code::BodyTooLarge => "body_too_large",
            Code::RateExceeded => "rate_exceeded",
            Code::HeadersTooLarge => "headers_too_large",
            Code::Internal => "internal",
            Code::UpstreamUnreachable => "upstream_unreachable",
            Code::UpstreamInvalid => "upstream_invalid",
            Code::KeysUnavailable => "keys_unavailable",
            Code::Draining => "draining",
            Code::Overloaded => "overloaded",
            Code::UpstreamTimeout => "upstream_timeout",
        }
    }

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Code::PathAmbiguous | Code::RequestMalformed | Code::CredentialAmbiguous => StatusCode::BAD_REQUEST,
            Code::CredentialMissing
            | Code::TokenMalformed
            | Code::TokenType
            | Code::AlgorithmNotAllowed
            | Code::UnknownKey
            | Code::SignatureInvalid
            | Code::TokenExpired
            | Code::TokenNotYetValid
            | Code::TokenTooLongLived
            | Code::ClaimMissing
            | Code::ClaimMalformed
            | Code::IssuerMismatch
            | Code::AudienceMismatch
            | Code::TokenRevoked
            | Code::ProofInvalid => StatusCode::UNAUTHORIZED,
            Code::ScopeInsufficient | Code::ClaimMismatch => StatusCode::FORBIDDEN,
            Code::RouteDenied => StatusCode::NOT_FOUND,
            Code::MethodRefused => StatusCode::METHOD_NOT_ALLOWED,
            Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::RateExceeded => StatusCode::TOO_MANY_REQUESTS,
            Code::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::UpstreamUnreachable | Code::UpstreamInvalid => StatusCode::BAD_GATEWAY,
            Code::KeysUnavailable | Code::Draining | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Code::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A sentence for whoever sent the request. It gives away nothing about keys, routes or clocks.
    pub const fn public_message(self) -> &'static str {
        match self {
            Code::PathAmbiguous => "The request path can be read in more than one way; send it in plain form.",
            Code::RequestMalformed => "The request breaks a rule of HTTP.",
            Code::CredentialAmbiguous => "The request carries more than one credential; send exactly one.",
            Code::CredentialMissing => "A Bearer token is required.",
            Code::TokenMalformed => "The token is malformed.",
            Code::TokenType => "The token is of a type that is not accepted here.",
            Code::AlgorithmNotAllowed => "The token's algorithm is not accepted.",
            Code::UnknownKey => "The token was signed with a key that is not known.",
            Code::SignatureInvalid => "The token's signature is not valid.",
            Code::TokenExpired => "The token has expired.",
            Code::TokenNotYetValid => "The token is not valid yet.",
            Code::TokenTooLongLived => "The token was issued for longer than is accepted.",
            Code::ClaimMissing => "The token lacks a required claim.",
            Code::ClaimMalformed => "A claim of the token is malformed.",
            Code::IssuerMismatch => "The token's issuer is not accepted here.",
            Code::AudienceMismatch => "The token is meant for another audience.",
            Code::TokenRevoked => "The token has been revoked.",
            Code::ProofInvalid => "The token is bound to a key whose possession was not proven.",
            Code::ScopeInsufficient => "The token does not grant the required scope.",
            Code::ClaimMismatch => "The token does not grant this request.",
            Code::RouteDenied => "There is nothing here.",
            Code::MethodRefused => "The method is not served.",
            Code::RequestTimeout => "The request took too long to arrive.",
            Code::BodyTooLarge => "The request body is too large.",
            Code::RateExceeded => "Too many requests; try again later.",
            Code::HeadersTooLarge => "The request header is too large.",
            Code::Internal => "Something went wrong.",
            Code::UpstreamUnreachable => "The service behind cannot be reached.",
            Code::UpstreamInvalid => "The service behind gave an invalid answer.",
            Code::KeysUnavailable => "The keys to check tokens with are not available now; try again later.",
            Code::Draining => "The service is stopping; try again.",
            Code::Overloaded => "The service has too many connections; try again later.",
            Code::UpstreamTimeout => "The service behind did not answer in time.",
        }
    }

    /// Its place in [`Code::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the `WWW-Authenticate` field of a refusal says (RFC 6750 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Nothing was presented: the scheme and the realm alone.
    Bare,
    /// What was presented is no good: `error="invalid_token"`.
    InvalidToken,
    /// The request itself is at fault: `error="invalid_request"`.
    InvalidRequest,
    /// The token is good and not enough: `error="insufficient_scope"`.
    InsufficientScope,
}

/// A refusal: its code, and for the operator what was expected and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    code: Code,
    detail: Cow<'static, str>,
    scope: Option<Box<str>>,
    wait: Option<Duration>,
    lacking: Box<[IssuerId]>,
}

impl Rejection {
    /// A refusal with its facts. `detail` is for the operator; it may hold no token and no secret.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), scope: None, wait: None, lacking: Box::default() }
    }

    /// A refusal for want of `scope` (space-separated), which the challenge names.
    pub fn scope(scope: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { scope: Some(scope.into()), ..Self::new(Code::ScopeInsufficient, detail) }
    }

    /// A refusal of what came too soon: after `wait` the next would pass.
    pub fn rate(wait: Duration, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { wait: Some(wait), ..Self::new(Code::RateExceeded, detail) }
    }

    /// The same refusal, which fresh keys of these issuers might turn.
    pub(super) fn for_want_of_keys(self, lacking: Vec<IssuerId>) -> Self {
        Self { lacking: lacking.into(), ..self }
    }

    /// The issuers whose keys are to be fetched before this is the last word; empty: it is.
    pub fn lacking(&self) -> &[IssuerId] {
        &self.lacking
    }

    /// The reason.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What the `WWW-Authenticate` field says, where there is to be one.
    pub fn challenge(&self) -> Option<Challenge> {
        match self.code {
            Code::CredentialMissing => Some(Challenge::Bare),
            Code::CredentialAmbiguous => Some(Challenge::InvalidRequest),
            Code::ScopeInsufficient | Code::ClaimMismatch => Some(Challenge::InsufficientScope),
            code if code.status() == StatusCode::UNAUTHORIZED => Some(Challenge::InvalidToken),
            _ => None,
        }
    }

    /// The scopes that were demanded, where they were not granted.
    pub fn demanded_scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// When to come again, in whole seconds, for a refusal that time alone may cure.
    pub fn retry_after(&self) -> Option<u64> {
        match self.code {
            Code::RateExceeded => {
                let wait = self.wait.unwrap_or_default();
                Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
            }
            Code::KeysUnavailable => Some(5),
            Code::Draining | Code::Overloaded => Some(1),
            _ => None,
        }
    }

    /// The sentence for the sender.
    pub fn public_message(&self) -> &'static str {
        self.code.public_message()
    }

    /// The facts, for the operator.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether report mode may let the request pass all the same.
    pub fn can_be_lifted(&self) -> bool {
        matches!(self.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
            || self.code == Code::KeysUnavailable
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_knows_its_own_place() {
        for (place, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.index(), place, "{code}");
        }
    }

    #[test]
    fn names_are_distinct() {
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn report_mode_lifts_no_bad_request_and_no_denial() {
        for code in Code::ALL {
            let lifted = Rejection::new(code, "").can_be_lifted();
            let status = code.status().as_u16();
            assert_eq!(lifted, matches!(status, 401 | 403 | 429) || code == Code::KeysUnavailable, "{code}");
        }
    }

    #[test]
    fn whole_seconds_until_the_next_never_say_too_little() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (2000, 2), (59_999, 60)] {
            let rejection = Rejection::rate(Duration::from_millis(milliseconds), "");
            assert_eq!(rejection.retry_after(), Some(seconds), "{milliseconds}");
        }
        for code in Code::ALL {
            let told = Rejection::new(code, "").retry_after().is_some();
            assert_eq!(told, matches!(code.status().as_u16(), 429 | 503), "{code}");
        }
    }

    #[test]
    fn the_challenge_is_bare_only_when_nothing_was_presented() {
        for code in Code::ALL {
            let challenge = Rejection::new(code, "").challenge();
            assert_eq!(challenge == Some(Challenge::Bare), code == Code::CredentialMissing, "{code}");
            if code.status() == StatusCode::UNAUTHORIZED {
                assert!(challenge.is_some(), "{code}");
            }
        }
    }

    #[test]
    fn a_stranger_is_told_one_sentence_and_nothing_of_the_detail() {
        for code in Code::ALL {
            let rejection = Rejection::new(code, "alg: expected HS512");
            let message = rejection.public_message();
            assert!(message.ends_with('.') && !message.contains("HS512"), "{message}");
            assert!(message.starts_with(char::is_uppercase) && !message.contains(". "), "{message}");
            assert_eq!(rejection.to_string(), format!("{}: alg: expected HS512", code.name()));
        }
    }
}
