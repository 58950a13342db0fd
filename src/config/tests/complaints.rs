//! Bad files, each with the line that is told and words of the complaint.

use super::*;

/// Three lines that make an issuer `a`; in [`TOP`] they stand behind line 3.
const ISSUER: &str = "[issuer.a]\nissuer = 'i'\nsecret = { file = 'key' }\n";

/// Checks that `TOP` and `more` make exactly one error, at that line of `more`, with these words.
fn one(more: &str, line: usize, words: &str) {
    let report = Desk::new().parse(&format!("{TOP}{more}")).map(|_| ()).expect_err(more);
    let errors: Vec<_> =
        report.diagnostics.iter().filter(|diagnostic| diagnostic.severity == super::super::Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{more}\n{report}");
    assert!(report.to_string().contains(words), "{more}\n{words}\n{report}");
    assert_eq!(errors[0].line, line + 3, "{more}\n{report}");
    assert_eq!(name(&report).file_name().unwrap(), "config.toml");
}

#[test]
fn required_keys_are_asked_for_with_their_choices() {
    let report = Desk::new().parse("").unwrap_err().to_string();
    for words in ["listen: is missing", "upstream: is missing", "unmatched: is missing", "\"protected\"", "\"deny\""] {
        assert!(report.contains(words), "{report}");
    }
    assert!(report.contains("no silent default"), "{report}");
}

#[test]
fn tables_of_the_process() {
    for (more, line, words) in [
        ("worker = 2", 1, "worker: unknown key\n    did you mean \"workers\"?"),
        ("workers = 0", 1, "workers: 0 is not between 1 and 1024"),
        ("workers = -1", 1, "whole number from 0 up"),
        ("workers = '2'", 1, "expected a whole number, found text"),
        ("[log]\nworkers = 2", 2, "workers belongs to the top of the file"),
        (
            "[limits]\nheader_size = '64KB'",
            2,
            "limits.header_size: unknown unit \"KB\", a size has one of B, KiB, MiB, GiB\n    write header_size = \"64KiB\"",
        ),
        ("[limits]\nheader_size = '1KiB'", 2, "not between \"8KiB\" and"),
        ("[limits]\nheader_timeout = 10", 2, "found a number without a unit\n    write header_timeout = \"10s\""),
        ("[limits]\nheader_timeout = '0s'", 2, "nothing can happen"),
        ("[limits]\nheaders = 0", 2, "0 is not between"),
        ("limits = 5", 1, "limits: expected a table, found a whole number"),
        ("[log]\nlevel = 'wran'", 2, "did you mean \"warn\"?"),
        ("[drain]\ntimeout = '-1s'", 2, "cannot be negative"),
        ("[memo]\nsize = '1'", 2, "needs a unit"),
        ("[paths]\nstrict = 'yes'", 2, "expected true or false, found text"),
        ("[answers]\nstyle = 'json'", 2, "expected \"problem\" or \"hotwax\""),
        ("[answers]\nrealm = 'a\"b'", 2, "without quotes"),
        ("[cors]\norigins = ['*']", 2, "name the origins"),
        ("[cors]\norigins = ['oms.example']", 2, "begins with http"),
        ("[forwarded]\ntrust = ['lan']", 2, "\"lan\" is no network"),
        ("[forwarded]\nproxy_protocol = true", 2, "not in this version yet"),
        ("[admin]\nlisten = '0.0.0.0:9090'", 2, "beyond loopback the operator's front needs a token"),
        ("[admin]\nlisten = '9090'", 2, "names no host\n    write \"127.0.0.1:9090\""),
        ("[admin]\nprobes = '127.0.0.1:9090'", 2, "same address"),
        ("[admin]\ntoken = { env = 'NONE' }", 2, "NONE is not set"),
        ("[admin]\nclient_ca = 'x'", 2, "not in this version yet"),
        ("[ask]\nkind = 'nginx'", 1, "ask: not in this version yet"),
        ("[desk]\nissuer = 'a'", 1, "desk: not in this version yet"),
        ("[telemetry]\nsample = 0.1", 1, "telemetry: not in this version yet"),
        ("[[test]]\nrequest = 'GET /'", 1, "test 1: `expect` is missing"),
    ] {
        one(more, line, words);
    }
}

#[test]
fn addresses() {
    let spoilt = |key: &str, value: &str| {
        let lines: Vec<String> = TOP
            .lines()
            .map(|line| if line.starts_with(key) { format!("{key} = {value}") } else { line.to_owned() })
            .collect();
        Desk::new().parse(&lines.join("\n")).map(|_| ()).expect_err(value).to_string()
    };
    for (key, value, words) in [
        ("listen", "':8080'", "write \"0.0.0.0:8080\""),
        ("listen", "'0.0.0.0'", "write \"0.0.0.0:8080\""),
        ("listen", "'::1'", "write \"[::1]:8080\""),
        ("listen", "'0.0.0.0:99999'", "up to 65535"),
        ("listen", "'http://0.0.0.0:80'", "write \"0.0.0.0:80\""),
        ("listen", "'https://0.0.0.0:443'", "needs [tls]"),
        ("listen", "'ftp://x:1'", "unknown scheme"),
        ("listen", "'unix:'", "unix:/path"),
        ("listen", "[]", "the list is empty"),
        ("listen", "['127.0.0.1:1', '127.0.0.1:1']", "stands twice"),
        ("listen", "['127.0.0.1:9090']\nadmin = { listen = '127.0.0.1:9090' }", "also an address of `listen`"),
        ("upstream", "'127.0.0.1:8081'", "begins with http://"),
        ("upstream", "'h2c://a'", "not in this version yet"),
        ("upstream", "'http://a/b'", "with a path or query"),
        ("upstream", "'http://u:swordfish@a'", "user or password"),
        ("upstream", "'http://a:0'", "from 1 to 65535"),
        ("upstream", "'http://a:x'", "from 1 to 65535"),
        ("upstream", "'http://'", "no host"),
        ("upstream", "7", "expected a URL, a list of URLs, or a table"),
        ("upstream", "{ host = 'preserve' }", "`url` is missing"),
        ("upstream", "{ url = 'https://a', client_cert = 'key' }", "client_cert without client_key"),
        ("upstream", "{ url = 'https://a', ca = 'none' }", "cannot read"),
        ("upstream", "{ url = 'https://a', server_name = 'a b' }", "no host name"),
        ("upstream", "{ url = 'http://a', health = { path = '/' } }", "health: not in this version yet"),
        ("listen", "'/run/x.sock'", "write \"unix:/run/x.sock\""),
        ("unmatched", "'closed'", "expected \"open\", \"protected\" or \"deny\", found \"closed\""),
        ("unmatched", "'protected'", "no issuer is defined"),
    ] {
        let report = spoilt(key, value);
        assert!(report.contains(words), "{key} = {value}: {report}");
        assert!(!report.contains("is missing") || words.contains("is missing"), "{value}: {report}");
        assert!(!report.contains("swordfish"), "{report}");
    }
}

#[test]
fn tls() {
    for (more, line, words) in [
        ("[tls]\nkey = 'key'", 1, "tls.cert: is missing"),
        ("[tls]\ncert = 'none'\nkey = 'key'", 2, "none: No such file"),
        ("[tls]\ncert = 'key'\nkey = 'key'\nmin_version = '1.1'", 4, "expected \"1.2\" or \"1.3\""),
        ("[tls]\ncert = 'key'\nkey = 'key'\nclient_auth = 'required'", 4, "not in this version yet"),
        ("[tls]\ncert = 'key'\nkey = 'key'\nclient_ca = 'key'", 4, "not in this version yet"),
        ("[tls]\ncert = 'key'\nkey = 'key'\n[[tls.certificate]]\ncert = 'x'", 4, "not in this version yet"),
    ] {
        one(more, line, words);
    }
}

#[test]
fn issuers() {
    for (body, line, words) in [
        ("issuer = 'i'", 1, "issuer.x: nothing says where its keys are"),
        ("secret = 'swordfish'", 2, "expected `{ file"),
        ("secret = { fiel = 'key' }", 2, "did you mean \"file\"?"),
        ("secret = { file = 'key', env = 'K' }", 2, "found 2 of them"),
        ("secret = { file = 'none' }", 2, "issuer.x.secret: cannot read"),
        ("secret = { file = 'short' }", 2, "RFC 7518 section 3.2"),
        ("secret = { file = 'published' }\nshort_key = 'accept'", 2, "published default"),
        ("secret = { file = 'public.pem' }", 2, "public key was given as a secret"),
        ("secret = { file = 'key' }\npem = 'public.pem'", 3, "`pem` beside `secret`"),
        ("secret = { file = 'short' }\nencoding = 'hex'", 2, "no even number of hexadecimal"),
        ("secret = { file = 'hex' }\nencoding = 'hex'\nsalt = 'a'", 4, "a salt goes with encoding"),
        ("secret = { file = 'key' }\nalgorithms = ['hs512']", 3, "did you mean \"HS512\"?"),
        ("secret = { file = 'key' }\nalgorithms = ['none']", 3, "an unsigned token proves nothing"),
        ("secret = { file = 'key' }\nalgorithms = ['HS256', 'RS256']", 3, "write two issuers"),
        ("secret = { file = 'key' }\nalgorithms = ['RS256']", 3, "can be used with a secret"),
        ("secret = { file = 'key' }\nalgorithms = []", 3, "the list is empty"),
        ("secret = { file = 'key' }\nsubject = ''", 3, "a claim has a name"),
        ("secret = { file = 'key' }\nrequire = ['/a~2']", 3, "no JSON pointer"),
        ("secret = { file = 'key' }\nissuer = ''", 3, "issuer.x.issuer: an empty text"),
        ("secret = { file = 'key' }\nmax_lifetime = '0s'", 3, "nothing can happen"),
        ("secret = { file = 'key' }\nshort_key = true", 3, "expected \"accept\""),
        ("pem = 'private.pem'", 2, "openssl pkey -in FILE -pubout"),
        ("pem = 'public.pem'\nencoding = 'hex'", 3, "`encoding` belongs to `secret`"),
        ("pem = 'public.pem'\nalgorithms = ['ES256', 'RS256']", 3, "no key of this issuer can be used with RS256"),
        ("jwks = { file = 'set.json' }", 2, "no key of the JWK Set can be used"),
        ("jwks = { file = 'set.json' }\nkid = 'k'", 3, "belongs to `secret` or `pem`"),
        ("jwks = 'set.json'", 2, "expected `{ file"),
        ("jwks = {}", 2, "neither `url` nor `file`"),
        ("jwks = { url = 'https://i', file = 'set.json' }", 2, "both `url` and `file`"),
        ("jwks = { url = 'http://idp.example/keys' }", 2, "http:// beyond this machine"),
        ("jwks = { url = 'https://user:swordfish@idp.example/keys' }", 2, "a user or password"),
        ("jwks = { url = 'http://idp.example/keys?code=swordfish' }", 2, "http:// beyond this machine"),
        ("jwks = { url = 'idp.example' }", 2, "does not begin with https://"),
        ("jwks = { url = 'https://i' }\nsecret = { file = 'key' }", 2, "`jwks` beside `secret`"),
        ("jwks = { url = 'https://i' }\nissuer = 'https://i'\ndiscovery = true", 4, "`discovery` beside `jwks`"),
        ("jwks = { url = 'https://i' }\nkid = 'k'", 3, "belongs to `secret` or `pem`"),
        ("jwks = { url = 'https://i' }\nalgorithms = 'HS512'", 3, "no secret is ever fetched"),
        ("jwks = { url = 'https://i' }\nrefresh = '2h'\nstale = '1h'", 4, "keys would be too old"),
        ("jwks = { url = 'https://i' }\nrefresh = '2d'", 3, "keys would be too old"),
        ("jwks = { url = 'https://i' }\npause = '0s'", 3, "nothing can happen"),
        ("jwks = { url = 'https://i' }\nshelf = '.'", 3, "no name of a file"),
        ("jwks = { url = 'https://i' }\nca = 'none'", 3, "cannot read"),
        ("jwks = { url = 'https://i' }\nca = 'key'", 3, "there is no certificate in it"),
        ("discovery = true", 2, "asked of the one `issuer`, and there are 0"),
        ("discovery = true\nissuer = ['https://a', 'https://b']", 2, "and there are 2"),
        ("discovery = true\nissuer = 'hotwax'", 3, "does not begin with https://"),
        ("discovery = true\nissuer = 'http://idp.example'", 3, "http:// beyond this machine"),
        ("discovery = true\nissuer = 'https://idp.example?a=b'", 3, "a query"),
        ("discovery = false", 2, "nothing says then where its keys are"),
        ("pem = 'public.pem'\nshelf = 'x'", 3, "`shelf` belongs to keys that are fetched"),
        ("introspection = { url = 'x' }", 2, "not in this version yet"),
        ("secret = { file = 'key' }\nrevoked = 'x'", 3, "expected `{ file"),
        ("secret = { file = 'key' }\nrevoked = { file = \"a\\nswordfish\" }", 3, "this is the content of a file"),
        ("secret = { file = 'key' }\nrevoked = {}", 3, "nothing says where the list is"),
        ("secret = { file = 'key' }\nrevoked = { file = 'x', url = 'https://i' }", 3, "`url` beside `file`"),
        ("secret = { file = 'key' }\nrevoked = { url = 'http://i/' }", 3, "http:// beyond this machine"),
        ("secret = { file = 'key' }\nrevoked = { fiel = 'x' }", 3, "did you mean \"file\"?"),
        ("secret = { file = 'key' }\nrevoked = { file = 'x', missing = 'shut' }", 3, "expected \"closed\" or \"open\""),
        ("secret = { file = 'key' }\nrevoked = { url = 'https://i/' }\nca = 'key'", 4, "there is no certificate in it"),
        ("secret = { file = 'key' }\nrevoked = { file = 'x' }\nca = 'key'", 4, "`ca` belongs to keys that are fetched"),
        ("secret = { file = 'key' }\nstale = '1d'", 3, "`stale` belongs to keys that are fetched"),
        ("secret = { file = 'key' }\nleway = '1s'", 3, "did you mean \"leeway\"?"),
    ] {
        let more = format!("[issuer.x]\n{body}\n");
        let report = Desk::new().parse(&format!("{TOP}{more}")).map(|_| ()).expect_err(body);
        let told = report.diagnostics.iter().find(|diagnostic| diagnostic.to_string().contains(words));
        assert_eq!(told.map(|told| told.line), Some(line + 3), "{body}\n{report}");
        assert!(!report.to_string().contains("swordfish"), "{report}");
    }
}

#[test]
fn routes() {
    for (body, line, words) in [
        ("name = 'r'", 1, "route \"r\": `path` is missing"),
        ("path = 'x'", 2, "a path begins with `/`"),
        ("path = []", 2, "the list is empty"),
        ("path = '/x?y'", 2, "the query plays no part"),
        ("path = '/x'\npaht = '/y'", 3, "did you mean \"path\"?"),
        ("path = '/é'\naccess = 'open'", 2, "ASCII"),
        ("path = '/x'\nmethod = 'CONNECT'", 3, "refused everywhere"),
        ("path = '/x'\nmethod = 'G T'", 3, "no token"),
        ("path = '/x'\nhost = '*'", 3, "leave `host` out"),
        ("path = '/x'\naccess = 'opne'", 3, "did you mean \"open\"?"),
        ("path = '/x'\nissuer = 'b'", 3, "unknown issuer \"b\"\n    did you mean \"a\"?"),
        ("path = '/x'\nissuer = ['a', 'a']", 3, "stands twice"),
        ("path = '/x'\naccess = 'open'\nscope = 's'", 4, "`scope` would never be looked at"),
        ("path = '/x'\naccess = 'deny'\ntoken = 'header'", 4, "`token` would never be looked at"),
        ("path = '/x'\nscope = 'a b'", 3, "write several as a list"),
        ("path = '/x'\nclaim = { '' = 'a' }", 3, "a claim has a name"),
        ("path = '/x'\nclaim = { a = 7 }", 3, "route \"/x\".claim.a: expected text"),
        ("path = '/x'\ntoken = 'body'", 3, "write \"header\""),
        ("path = '/x'\ntoken = 'header:Authorization'", 3, "Authorization is written \"header\""),
        ("path = '/x'\nforward = { claims = { Host = 'a' } }", 3, "cannot be set from a claim"),
        ("path = '/x'\nforward = { claims = { X-Forwarded-For = 'a' } }", 3, "waxseal writes this field itself"),
        ("path = '/x'\nforward = { claims = { X-A = 'a', x_a = 'b' } }", 3, "for the same"),
        ("path = '/x'\nforward = { claims = { 'a b' = 'a' } }", 3, "no name of a header"),
        ("path = '/x'\nforward = { strip = ['Authorization'] }", 3, "authorization = \"strip\""),
        ("path = '/x'\nforward = { strip = ['Content_Length'] }", 3, "says where the body ends"),
        ("path = '/x'\nmode = 'off'", 3, "expected \"enforce\" or \"report\""),
        ("path = '/x'\ntimeout = '0s'", 3, "nothing can happen"),
        ("path = '/x'\nname = 'unmatched'", 3, "belongs to requests that no route names"),
        ("path = '/x'\n[[route]]\npath = '/y'\nname = '/x'", 5, "a second route of that name; the first is at line 8"),
        ("path = '/x'\n[[route]]\nname = 'b'\npath = '/X'", 5, "it and route \"/x\" (line 8) both name \"/x\""),
    ] {
        one(&format!("{ISSUER}[[route]]\n{body}\n"), line + 3, words);
    }
    one("[route]\npath = '/x'\n", 1, "[[route]]");
    one("[[route]]\npath = '/x'\n[[route]]\npath = '/y'\n", 1, "no issuer is defined");
}

#[test]
fn rates() {
    for (access, rate, words) in [
        ("protected", "{ per = 'subject' }", "rate: `requests` is missing\n    say how many"),
        ("protected", "{ requests = 5 }", "rate: `per` is missing\n    say what callers"),
        ("protected", "5", "rate: expected a table, found a whole number"),
        (
            "protected",
            "{ per = 'ip', requests = 5 }",
            "expected \"subject\" or \"address\", found \"ip\"\n    did you mean \"address\"?",
        ),
        ("protected", "{ per = 'subject', requests = 0 }", "rate.requests: 0 is not between 1 and 1000000"),
        ("protected", "{ per = 'subject', requests = 1000001 }", "1000001 is not between"),
        ("protected", "{ per = 'subject', requests = '5' }", "expected a whole number, found text"),
        ("protected", "{ per = 'subject', requests = 5, window = '0s' }", "rate.window: 0s is not between"),
        ("protected", "{ per = 'subject', requests = 5, window = '2d' }", "2d is not between \"1ms\" and \"1d\""),
        ("protected", "{ per = 'subject', requests = 5, windows = '2s' }", "did you mean \"window\"?"),
        ("protected", "{ per = 'subject', requests = 101, window = '1ms' }", "more than 100000 requests a second"),
        ("open", "{ per = 'subject', requests = 5 }", "looks at no token\n    write per = \"address\""),
        ("deny", "{ per = 'address', requests = 5 }", "nobody passes here, so nothing is counted\n    leave it out"),
        ("deny", "{ per = 'subject', requests = 5 }", "nobody passes here"),
    ] {
        one(&format!("{ISSUER}[[route]]\npath = '/x'\naccess = '{access}'\nrate = {rate}\n"), 7, words);
    }
}

#[test]
fn a_pattern_is_complained_of_at_the_letter() {
    let report = Desk::new().parse(&format!("{TOP}{ISSUER}[[route]]\npath = [\"/a\", \"/b/**/c\"]\n")).unwrap_err();
    let error = report.diagnostics.iter().find(|diagnostic| diagnostic.problem.contains("**")).unwrap();
    assert_eq!((error.line, error.column), (8, 22), "{report}");
}

#[test]
fn everything_is_told_at_once_and_in_order() {
    let text =
        "listen = 8080\nupstream = 'x'\nworker = 1\n[limits]\nheaders = 'many'\n[[route]]\npath = 'x'\nmode = 'x'\n";
    let report = Desk::new().parse(text).unwrap_err();
    let errors = report.diagnostics.iter().filter(|diagnostic| diagnostic.line > 0);
    let lines: Vec<usize> = errors.map(|diagnostic| diagnostic.line).collect();
    // `unmatched` is missing, which is told at the first line.
    assert_eq!(lines, [1, 1, 2, 3, 5, 6, 7, 8], "{report}");
}

#[test]
fn the_cause_of_broken_toml_is_told_where_it_is_and_no_secret_with_it() {
    for (text, line, words) in [
        ("listen = 0.0.0.0:8080\n", 1, "put text, durations, sizes and addresses in quotes: listen = "),
        ("listen = 'a:1'\nlisten = 'b:1'\n", 2, "the first is at line 1"),
        ("[log]\n\n[tls]\n [ log ] # again\n", 4, "the first is at line 1"),
        ("a.b = 1\na = { b = 2 }\n", 2, "stands a second time"),
        ("a = 1\na.b = 2\n", 2, "has a value already"),
        ("[issuer.a]\nsecret = { text = \"swordfish\n", 2, "no closing quote"),
        ("[issuer.a]\nsecret = { text = \"swordfish\\\" }\n", 2, "no closing quote"),
        ("[issuer.a]\nsecret = { text = \"swordfish\\\"\n", 2, "does not close it"),
        ("[issuer.a]\nsecret = { text = \"swordfish\\q\" }\n", 2, "begins an escape"),
        ("[issuer.a\nsecret = swordfish\n", 1, "this header is not closed"),
        ("secret = 'swordfish' 'swordfish'\n", 1, "follows the value"),
        ("realm = swordfish\"\n", 1, "has no opening quote"),
        ("secret = swordfish\n", 1, "write secret = { file"),
        ("a = [1,\nb = 2\n", 1, "this list is not closed"),
        ("a = [\n  'x',\n\n[log]\nlevel = 'info'\n", 1, "this list is not closed"),
        ("a = { b = [1, 2 }\n", 1, "} closes what [ opened"),
        ("a = '''x\nb = 1\n", 1, "no closing quote"),
        ("a = { b: 1 }\n", 1, "`:` stands where TOML has `=`"),
        ("- a\n", 1, "YAML"),
        ("<config>\n", 1, "XML"),
        ("; secret swordfish\n", 1, "write # for a comment"),
        ("listen 'a'\n", 1, "`=` is missing"),
        ("listen\n", 1, "a key without a value"),
        ("listen at = 'a'\n", 1, "a key is one word"),
        ("listen == 'a'\n", 1, "one `=` too many"),
        ("listen => 'a'\n", 1, "with = alone"),
        ("é = 1\n", 1, "this is no key"),
        ("a = null\n", 1, "leave the key out"),
        ("a = 1;\n", 1, "does not end in ;"),
        ("a = 007\n", 1, "does not begin with 0"),
        ("a = 1 ]\n", 1, "closes nothing"),
        ("}\n", 1, "closes nothing"),
        ("a = {,}\n", 1, "one comma too many"),
        ("a = 2026-01-01x\n", 1, "put text, durations"),
        ("[]\n", 1, "names no table"),
        ("[[a]\n", 1, "[[ is closed by ]]"),
        ("[a] b = 1\n", 1, "lines of their own"),
        ("[a:b]\n", 1, "letters, digits"),
        ("a = 'x'\rb = 1\n", 1, "carriage return"),
        ("a = 'x\u{1b}'\n", 1, "control character"),
        (&format!("a = {}\n", "{a=".repeat(1000)), 1, "not closed"),
        (&format!("a = {}1{}\n", "[".repeat(1000), "]".repeat(1000)), 1, "80 levels"),
        (&format!("\n{} = 1\n", ["a"; 1000].join(".")), 2, "80 levels"),
    ] {
        let report = Desk::new().parse(text).map(|_| ()).expect_err(text);
        let told = report.diagnostics.iter().find(|told| told.to_string().contains(words));
        assert_eq!(told.map(|told| told.line), Some(line), "{text}\n{words}\n{report}");
        assert!(report.diagnostics.iter().all(|told| !told.advice.is_empty()), "{text}\n{report}");
        let told = format!("{report}{report:?}{}", super::super::render::complaints(&report.diagnostics));
        assert!(!told.contains("swordfish"), "{text}\n{told}");
    }
    // What is wrong besides quotes is told with them; what a broken list swallowed is not.
    let report = Desk::new().parse("listen = 0.0.0.0:8080\nunmatched = 'x'\n").unwrap_err().to_string();
    assert!(report.contains("quotes") && report.contains("expected \"open\""), "{report}");
    let report = Desk::new().parse("listen = ['a'\nunmatched = 'open'\n").unwrap_err().to_string();
    assert!(report.contains("not closed") && !report.contains("is missing"), "{report}");
}

#[test]
fn what_was_written_for_a_key_stands_for_it() {
    for (text, words) in [
        ("lisen = 'a:1'\nupsteam = 'http://a'\nunmached = 'open'\n", "did you mean \"listen\"?"),
        ("port = 1\nbackend = 'http://a'\ndefault = 'open'\n", "say where to listen"),
        ("[log]\nlisten = 'a:1'\nupstream = 'http://a'\nunmatched = 'open'\n", "belongs to the top of the file"),
        (
            "[admin]\nlisten = '127.0.0.1:1'\n[[route]]\npath = '/'\nupstream = 'http://a'\n[log]\nunmatched = 'open'\n",
            "also at the top of the file",
        ),
    ] {
        let report = Desk::new().parse(text).map(|_| ()).expect_err(text);
        assert!(report.diagnostics[0].advice.contains(words), "{text}\n{report}");
        assert!(report.diagnostics.iter().all(|told| told.problem != "is missing"), "{text}\n{report}");
    }
}

#[test]
fn of_a_file_that_is_no_config_a_hundred_complaints_are_told() {
    let keys = |count: usize| -> String { (0..count).map(|n| format!("a{n} = 1\n")).collect() };
    for text in ["a\n".repeat(100_000), "a = 1\n".repeat(100_000), keys(100_000)] {
        let report = Desk::new().parse(&text).unwrap_err();
        assert!((1..=101).contains(&report.diagnostics.len()), "{}", report.diagnostics.len());
    }
    let report = Desk::new().parse(&keys(200)).unwrap_err().to_string();
    let last = "103 more complaints are not told\n    put the first ones right and ask again";
    assert!(report.ends_with(last), "{report}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let desk = Desk::new();
    let report = super::super::load(&desk.path("none.toml")).unwrap_err().to_string();
    assert!(report.contains("none.toml: cannot be read: No such file"), "{report}");
    std::fs::write(desk.path("latin1.toml"), b"a = 1\nb = '\xe9'\n").unwrap();
    let report = super::super::load(&desk.path("latin1.toml")).unwrap_err().to_string();
    assert!(report.contains("line 2 is not UTF-8"), "{report}");
}
