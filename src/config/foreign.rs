//! Keys that people bring along from other programs, and what they are called here.
//!
//! Such a key is not unknown to whoever wrote it: what it is called here says more than the nearest key by letters.

/// Keys of other programs in one table.
struct Foreign {
    /// The table in which they are looked for: the first word of its name, or `""` for the top of the file.
    table: &'static str,
    /// The keys.
    words: &'static [&'static str],
    /// The key that is meant, where it belongs to the same table.
    meant: &'static str,
    /// What to write.
    advice: &'static str,
}

const LISTEN: &str = "say where to listen: listen = \"0.0.0.0:8080\"";
const UPSTREAM: &str = "say where allowed requests go: upstream = \"http://127.0.0.1:8081\"";
const UNMATCHED: &str =
    "say what happens to a request that no route names: unmatched = \"open\", \"protected\" or \"deny\"";
const SECRET: &str = "a key belongs to an issuer:\n[issuer.NAME]\nsecret = { file = \"FILE\" }";
const ISSUER: &str = "it belongs to an issuer: write it below a line [issuer.NAME]";
const JWKS: &str = "write jwks = { url = \"https://…\" } with the address of the key set";
const ROUTE: &str = "each route is a table of its own:\n[[route]]\npath = \"/api/orders\"";

/// Short hands for a readable table.
const fn word(
    table: &'static str,
    words: &'static [&'static str],
    meant: &'static str,
    advice: &'static str,
) -> Foreign {
    Foreign { table, words, meant, advice }
}

const FOREIGN: &[Foreign] = &[
    word("", &["port", "host", "bind", "address", "addr", "listen_addr", "server"], "listen", LISTEN),
    word(
        "",
        &["backend", "backends", "target", "proxy_pass", "origin", "service", "url", "proxy"],
        "upstream",
        UPSTREAM,
    ),
    word("", &["default", "default_policy", "fallback", "policy", "access", "mode"], "unmatched", UNMATCHED),
    word("", &["threads", "worker_processes", "concurrency"], "workers", "write workers = 4, or leave it out"),
    word("", &["jwt_secret", "jwt_key", "secret", "secret_key", "hmac_secret", "key", "jwt"], "issuer", SECRET),
    word("", &["jwks", "jwks_uri", "jwks_url", "public_key", "pem"], "issuer", ISSUER),
    word("", &["iss", "aud", "audience", "alg", "algorithm", "algorithms", "leeway", "subject"], "", ISSUER),
    word("", &["routes"], "route", ROUTE),
    word("", &["exp"], "", "every token must have `exp`; leave this out"),
    word("", &["path", "rules", "rule", "endpoints", "protect", "guard"], "route", ROUTE),
    word(
        "",
        &["ssl", "https", "certificate", "cert"],
        "tls",
        "write a line [tls], below it cert = \"FILE\" and key = \"FILE\"",
    ),
    word("", &["logging", "logs", "log_level", "loglevel"], "log", "write a line [log], below it level = \"info\""),
    word(
        "",
        &["timeout", "timeouts"],
        "",
        "[limits] request_timeout bounds a request, [upstream] response_timeout an answer",
    ),
    word("issuer", &["iss"], "issuer", "the expected `iss` is written issuer = \"…\""),
    word("issuer", &["aud", "audiences"], "audience", "the expected `aud` is written audience = \"…\""),
    word("issuer", &["alg", "algorithm", "algs"], "algorithms", "write algorithms = [\"HS512\"]"),
    word("issuer", &["exp"], "", "every token must have `exp`; max_lifetime = \"30d\" bounds how far it may lie ahead"),
    word(
        "issuer",
        &["expires", "expiry", "ttl", "lifetime", "max_age"],
        "max_lifetime",
        "write max_lifetime = \"30d\"",
    ),
    word("issuer", &["jwks_uri", "jwks_url", "url", "jwk"], "jwks", JWKS),
    word(
        "issuer",
        &["jwt_secret", "key", "shared_secret", "hmac", "secret_key", "password"],
        "secret",
        "write secret = { file = \"FILE\" }",
    ),
    word("issuer", &["secret_file", "key_file", "file"], "secret", "write secret = { file = \"FILE\" }"),
    word("issuer", &["secret_env", "env"], "secret", "write secret = { env = \"NAME\" }"),
    word("issuer", &["public_key", "cert", "certificate", "rsa"], "pem", "write pem = \"FILE\", a public key in PEM"),
    word(
        "issuer",
        &["claims", "required_claims"],
        "require",
        "write require = [\"iat\"] for claims that must be there; what they must say stands at a route: claim = { NAME = \"TEXT\" }",
    ),
    word(
        "issuer",
        &["sub", "user", "user_claim", "principal"],
        "subject",
        "the claim that names the subject is written subject = \"sub\"",
    ),
    word("issuer", &["clock_skew", "skew", "tolerance"], "leeway", "write leeway = \"30s\""),
    word("issuer", &["typ", "type"], "types", "write types = [\"JWT\"] for the accepted `typ` headers"),
    word(
        "route",
        &["paths", "url", "uri", "prefix", "pattern", "match", "endpoint", "location"],
        "path",
        "write path = \"/api/orders\", or a list of paths; a guard holds for everything below it",
    ),
    word("route", &["methods", "verb", "verbs"], "method", "write method = [\"GET\", \"POST\"]"),
    word("route", &["hosts", "hostname", "domain", "server_name"], "host", "write host = [\"oms.example\"]"),
    word(
        "route",
        &["auth", "authenticated", "protected", "public", "open", "deny", "policy", "allow", "require_auth", "action"],
        "access",
        "write access = \"protected\", \"open\" or \"deny\"",
    ),
    word("route", &["issuers"], "issuer", "write issuer = [\"NAME\"]"),
    word("route", &["aud", "audiences"], "audience", "write audience = \"…\""),
    word("route", &["scopes", "permissions"], "scope", "write scope = [\"orders.read\"]; all of them must be granted"),
    word(
        "route",
        &["claims", "roles", "role", "groups", "users"],
        "claim",
        "write claim = { NAME = [\"TEXT\"] }, with the claim of the token and the texts of which one must fit",
    ),
    word(
        "route",
        &["backend", "target", "proxy_pass", "to", "service"],
        "upstream",
        "write upstream = \"http://127.0.0.1:8082\"",
    ),
    word(
        "route",
        &["headers", "set_headers", "add_headers"],
        "forward",
        "write forward = { claims = { X-Auth-User = \"sub\" } }, or forward = { strip = [\"Cookie\"] }",
    ),
    word("route", &["max_body_size", "body_limit"], "body_size", "write body_size = \"16MiB\""),
    word("secret", &["path", "from_file", "filename"], "file", "write { file = \"FILE\" }"),
    word("secret", &["from_env", "variable", "var", "environment"], "env", "write { env = \"NAME\" }"),
    word(
        "secret",
        &["value", "key", "string", "literal", "plain", "secret"],
        "text",
        "write { file = \"FILE\" }, or for trying out { text = \"…\" }",
    ),
    word("jwks", &["uri", "endpoint"], "url", JWKS),
    word("jwks", &["path"], "file", "write jwks = { file = \"FILE\" }"),
    word(
        "upstream",
        &["host_name", "address", "server", "servers", "urls", "target", "backend"],
        "url",
        "write url = \"http://127.0.0.1:8081\", or a list",
    ),
    word("upstream", &["port"], "", "the port belongs to the URL: url = \"http://127.0.0.1:8081\""),
    word("upstream", &["timeout", "read_timeout"], "response_timeout", "write response_timeout = \"15m\""),
    word("upstream", &["keepalive_timeout"], "idle_timeout", "write idle_timeout = \"4s\""),
    word("upstream", &["host_header", "preserve_host"], "host", "write host = \"preserve\" or host = \"upstream\""),
    word("tls", &["cert_file", "certfile", "certificate_file", "crt", "chain"], "cert", "write cert = \"FILE\""),
    word("tls", &["key_file", "keyfile", "private_key"], "key", "write key = \"FILE\""),
    word(
        "tls",
        &["min_tls_version", "version", "protocols", "minimum_version"],
        "min_version",
        "write min_version = \"1.2\" or \"1.3\"",
    ),
    word("tls", &["enabled"], "", "TLS is spoken at the https:// addresses of `listen`; leave this out"),
    word(
        "limits",
        &["max_body_size", "body", "client_max_body_size", "body_limit"],
        "body_size",
        "write body_size = \"16MiB\"",
    ),
    word("limits", &["max_header_size"], "header_size", "write header_size = \"32KiB\""),
    word("limits", &["max_headers"], "headers", "write headers = 100"),
    word("limits", &["max_connections"], "connections", "write connections = 20000"),
    word("limits", &["timeout", "read_timeout"], "request_timeout", "write request_timeout = \"3h\""),
    word("limits", &["keepalive_timeout", "keep_alive"], "idle_timeout", "write idle_timeout = \"75s\""),
    word("log", &["verbosity", "severity", "loglevel"], "level", "write level = \"info\""),
    word("log", &["access_log"], "access", "write access = true"),
    word("admin", &["port", "bind", "address", "addr", "host"], "listen", "write listen = \"127.0.0.1:9090\""),
    word("admin", &["password", "secret", "auth", "api_key"], "token", "write token = { file = \"FILE\" }"),
    word(
        "admin",
        &["metrics", "health", "healthz"],
        "probes",
        "write probes = \"0.0.0.0:9091\" for /livez, /readyz and /metrics",
    ),
    word(
        "cors",
        &["allow_origins", "allowed_origins", "allow_origin", "origin"],
        "origins",
        "write origins = [\"https://oms.example\"]",
    ),
    word(
        "cors",
        &["allow_credentials", "allow_methods", "allow_headers", "max_age"],
        "",
        "for its own answers waxseal needs origins alone; leave this out",
    ),
    word(
        "forwarded",
        &["trusted", "trusted_proxies", "proxies", "set_real_ip_from"],
        "trust",
        "write trust = [\"10.0.0.0/8\"]",
    ),
    word("drain", &["grace", "grace_period", "wait"], "timeout", "write timeout = \"30s\""),
    word("answers", &["format"], "style", "write style = \"problem\" or \"hotwax\""),
];

/// The key that is meant (`""` where none of the same table is), and what to write.
pub(super) fn hint(table: &str, word: &str) -> Option<(&'static str, &'static str)> {
    let plain = word.to_ascii_lowercase().replace('-', "_");
    let found = FOREIGN.iter().find(|foreign| foreign.table == table && foreign.words.contains(&plain.as_str()))?;
    Some((found.meant, found.advice))
}

#[cfg(test)]
mod tests {
    use super::super::known;
    use super::*;

    #[test]
    fn no_key_of_another_program_is_one_of_ours() {
        for Foreign { table, words, meant, .. } in FOREIGN {
            for word in *words {
                assert!(!known::in_table(table, word), "{table}: {word}");
            }
            assert!(meant.is_empty() || known::in_table(table, meant), "{table}: {meant}");
        }
    }

    #[test]
    fn letter_case_and_hyphens_count_for_nothing() {
        assert_eq!(hint("", "Proxy-Pass").unwrap().0, "upstream");
        assert!(hint("route", "proxy").is_none());
    }
}
