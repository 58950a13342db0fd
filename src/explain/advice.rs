//! What an operator can do about each reason.

use crate::decision::rejection::Code;

/// Where to look first when a request is refused for this reason.
pub(super) fn advice(code: Code) -> &'static str {
    match code {
        Code::PathAmbiguous => "send the path in plain form: no dot segments, backslashes, control or raw bytes",
        Code::RequestMalformed => "look at the request itself: its target, its Host, its framing",
        Code::CredentialAmbiguous => "send one token, in one place",
        Code::CredentialMissing => {
            "send the token where the route looks for one: `token` of the route, else Authorization: Bearer TOKEN"
        }
        Code::TokenMalformed => {
            "this is no JWT of the permitted form: was it cut in copying, quoted, `Bearer` written twice, or encoded once more?"
        }
        Code::TokenType => "the token is of another kind (an ID token?); `types` of the issuer says which are taken",
        Code::AlgorithmNotAllowed => "name the algorithm in `algorithms` of the issuer if it really signs with it",
        Code::UnknownKey => "the issuer may have a new key, or `kid` in the config names an old one",
        Code::SignatureInvalid => {
            "the token was signed with another key: compare the secret or key file, its `encoding` and `salt`"
        }
        Code::TokenExpired => "get a new token; if it is fresh, compare the clocks",
        Code::TokenNotYetValid => "compare the clocks of issuer and sidecar; `leeway` bridges a small difference",
        Code::TokenTooLongLived => "the issuer makes tokens that live longer than `max_lifetime` takes",
        Code::ClaimMissing => {
            "the issuer does not put the claim into its tokens; is `subject` or `require` right for it?"
        }
        Code::ClaimMalformed => "the issuer writes the claim in a form that is not taken",
        Code::IssuerMismatch => {
            "the token comes from somebody else, or `issuer` in the config is spelt differently (a final slash?)"
        }
        Code::AudienceMismatch => {
            "the token was issued for another service (an ID token?); `audience` says for which it must be"
        }
        Code::TokenRevoked => "the token was taken back (`revoked` of the issuer); get a new one",
        Code::ProofInvalid => "the token is bound to a key and must not be used as a plain Bearer token",
        Code::ScopeInsufficient => "the token lacks a scope; ask the issuer for one that has it",
        Code::ClaimMismatch => {
            "the token is good and does not grant this; `claim` of the route says what must be in it"
        }
        Code::RouteDenied => {
            "the route is closed (access = \"deny\"), or no route names the path and unmatched = \"deny\""
        }
        Code::MethodRefused => "CONNECT and TRACE are never served",
        Code::RateExceeded => "wait, or raise `rate` of the route",
        Code::KeysUnavailable => {
            "the keys of an issuer, or its list of revoked tokens, are not there: /readyz of a running waxseal says \
             which and why; explain fetches nothing, and looks for keys on the `shelf` alone"
        }
        Code::BodyTooLarge => "send less, or raise `body_size` of the route or in [limits]",
        Code::HeadersTooLarge => "send fewer or shorter headers, or raise `header_size` or `headers` in [limits]",
        Code::RequestTimeout
        | Code::Internal
        | Code::UpstreamUnreachable
        | Code::UpstreamInvalid
        | Code::Draining
        | Code::Overloaded
        | Code::UpstreamTimeout => "this came after the decision; the log's `detail` says what happened",
    }
}
