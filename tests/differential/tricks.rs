//! What can be done to a request so that somebody reads it differently: to a letter, between segments, before and behind
//! the path, to method, host and header fields.

use crate::case::{Case, text};
use crate::servers::start::GUARDED;

/// The ways to spell a letter, those first that most servers understand.
pub const SPELLINGS: [fn(char) -> String; 14] = [
    |letter| format!("%{:02x}", u32::from(letter)),
    |letter| format!("%{:02X}", u32::from(letter)),
    |letter| swapped(letter).to_string(),
    |letter| format!("%{:02x}", u32::from(swapped(letter))),
    |letter| format!("%25{:02x}", u32::from(letter)),
    |letter| format!("%2525{:02X}", u32::from(letter)),
    // The same digits encoded instead of the percent sign.
    |letter| {
        format!(
            "%{}",
            format!("{:02x}", u32::from(letter)).bytes().map(|digit| format!("%{digit:02x}")).collect::<String>()
        )
    },
    // More bytes than UTF-8 needs.
    |letter| format!("%c{}%{:02x}", u32::from(letter) >> 6, 0x80 | (u32::from(letter) & 0x3f)),
    |letter| format!("%e0%{:02X}%{:02X}", 0x80 | (u32::from(letter) >> 6), 0x80 | (u32::from(letter) & 0x3f)),
    |letter| percent(wide(letter)),
    |letter| text(wide(letter).to_string().as_bytes()),
    |letter| percent(kin(letter)),
    |letter| format!("%u00{:02x}", u32::from(letter)),
    |letter| format!("{letter}%cc%81"),
];

/// A letter in the other case.
fn swapped(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

/// The full-width form of an ASCII character.
fn wide(letter: char) -> char {
    char::from_u32(u32::from(letter) + 0xfee0).unwrap()
}

/// A letter that folds to this one in some language or form.
fn kin(letter: char) -> char {
    match letter {
        's' => '\u{17f}',
        'i' => '\u{131}',
        'I' => '\u{130}',
        'a' => '\u{aa}',
        'o' => '\u{ba}',
        'e' => '\u{2091}',
        'v' => '\u{2174}',
        'd' => '\u{217e}',
        'c' => '\u{217d}',
        other => {
            char::from_u32(u32::from(other) + 0x1d3b9).filter(char::is_ascii_lowercase).unwrap_or_else(|| wide(other))
        }
    }
}

fn percent(character: char) -> String {
    character.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What stands between segments.
pub const BETWEEN: [&str; 46] = [
    "//",
    "///",
    "/./",
    "/;/",
    "/x/../",
    "/%2e/",
    "/.%2e/",
    "/x/%2E%2e/",
    "/x/%252e%252e/",
    ";a/",
    ";a=b/",
    ";/",
    ";;/",
    ";jsessionid=AB12/",
    "/x;y/..;z/",
    "/x/..;/",
    "/.;/",
    "/.;a=b/",
    "%2f",
    "%2F/",
    "/%2f",
    "%252f",
    "%25252F",
    "\\",
    "/\\",
    "%5c",
    "%5C/",
    "%255c",
    "%c0%af",
    "%e0%80%af",
    "%EF%BC%8F",
    "%E2%81%84",
    "%E2%88%95",
    "\u{ff}/",
    "%20/",
    "/%20",
    "./",
    "%00/",
    "%09/",
    "%3b/",
    "%3bx/",
    "%3Ba=b/",
    "%253b/",
    ";%2f/",
    "%2f;x/",
    "/%E2%80%A5/",
];

/// What stands before the path.
pub const BEFORE: [&str; 44] = [
    "/",
    "//",
    "///",
    "/;x",
    "/;/",
    "/.",
    "/./",
    "/.;/",
    "/x/..",
    "/x/../..",
    "/x/%2e%2e",
    "/x/..;a=b",
    "/x/..;/y/..",
    "/%2e",
    "/..",
    "/%2e%2e/",
    "/;jsessionid=1/",
    "//evil.example",
    "//evil.example/..",
    "//evil.example:80",
    "///evil.example",
    "//oms.example",
    "/\\",
    "\\",
    "/\\evil.example",
    "%2f",
    "/%2f",
    "/%2F%2f",
    "/%5c",
    "/%252f",
    "/%c0%ae",
    "/x/%c0%ae%c0%ae",
    "/%E2%80%A5",
    "/%EF%BC%8E",
    "http://oms.example",
    "http://other.example:81",
    "HTTP://oms.example/",
    "http://oms.example//",
    "https://oms.example",
    "http://user@oms.example",
    "http://oms.example:80\\",
    "http:",
    "*",
    "/%20",
];

/// What stands behind the path.
pub const BEHIND: [&str; 74] = [
    "/",
    "//",
    "/.",
    "/./",
    "/%2e",
    "/..",
    "/x",
    "/x/y.json",
    "/x/..",
    "/x/%2e%2e",
    "/..;/updateInventory",
    "/../updateInventory",
    ".json",
    ".",
    "..",
    "%2e",
    ".do",
    ".json/",
    ";",
    ";;",
    ";a=b",
    ";a=b/c",
    ";/x",
    ";jsessionid=1",
    ";jsessionid=1?x",
    ";%2f",
    ";.",
    "/;a",
    "?",
    "??",
    "?a=b;c",
    "?a=../b",
    "?a=%00",
    "?%2f..%2f",
    "?a=http://x/y",
    "?#",
    "#",
    "#x",
    "#/../..",
    "%23",
    "%23x",
    "%2523",
    "%3F",
    "%3fx/y",
    "%3f%3f",
    "%253f",
    "%3B",
    "%3b/..",
    "%3bx=y",
    "%253b",
    "%20",
    "%20/",
    "/%20",
    "+",
    "%09",
    "%00",
    "%00.html",
    "%0a",
    "%0d%0a",
    "%2500",
    "%7f",
    "%c2%a0",
    "%e2%80%83",
    "%E3%80%80",
    "%ef%bb%bf",
    "%",
    "%7",
    "%zz",
    "%u002f",
    "\\",
    "\\x",
    "%5c",
    "%2f",
    "%2fx/..",
];

/// Methods, those that nobody defined among them.
pub const METHODS: [&str; 20] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "LOCK", "TRACE", "CONNECT",
    "post", "Post", "get", "head", "FOO", "P0ST", "POST_", "_",
];

/// Names for the host, right and wrong.
pub const HOSTS: [&str; 30] = [
    "OMS.example",
    "oms.example:80",
    "oms.example:443",
    "oms.example:8080",
    "oms.example.",
    "oms.EXAMPLE.:80",
    "oms.example:",
    "oms.example..",
    ".oms.example",
    "other.example",
    "OTHER.example.",
    "stranger.example",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "[::1]:80",
    "",
    " ",
    "oms.example@other.example",
    "other.example@oms.example",
    "other.example,oms.example",
    "oms.example, other.example",
    "oms.example:99999",
    "oms.example:x",
    "oms.example/",
    "oms.example\\",
    "oms.example#",
    "oms.example%00",
    "%6fms.example",
    "\tother.example",
];

/// Fields by which a method is overridden, in spellings that some server folds.
pub const METHOD_FIELDS: [&str; 10] = [
    "X-HTTP-Method-Override",
    "x-http-method-override",
    "X_HTTP_Method_Override",
    "X-HTTP_METHOD-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "x_method_override",
    "X.HTTP.Method.Override",
    "X-HTTP-Method-Override ",
    "Method-Override",
];

/// Fields by which the URL is overridden, in spellings that some server folds.
pub const URL_FIELDS: [&str; 20] = [
    "X-Original-URL",
    "x-original-url",
    "X_Original_URL",
    "X-Original_URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "x_rewrite_url",
    "X-Override-URL",
    "X-HTTP-DestinationURL",
    "X-Forwarded-Uri",
    "X_Forwarded_Uri",
    "X-Forwarded-Path",
    "X-Envoy-Original-Path",
    "X-Envoy_Original-Path",
    "X-Forwarded-Prefix",
    "X-Script-Name",
    "X_Script_Name",
    "SCRIPT_NAME",
    "Script-Name",
    "Daphne-Root-Path",
];

/// Requests that only HTTP/2 can carry, since in HTTP/1.1 they would be other requests: paths that end the request line,
/// and pseudo-header fields in the wrong place.
pub fn only_in_http2() -> Vec<Case> {
    let paths = [
        "/open HTTP/1.1\r\nX: ",
        "/open\r\n\r\nPOST ",
        "/open\nHost: x\n\nPOST ",
        " ",
        "",
        "\t",
        "/open\0",
        "/open \t",
    ];
    let mut cases: Vec<Case> = paths.map(|path| Case::new("POST", &format!("{path}{GUARDED}"))).into();
    cases.extend(
        [" ", " HTTP/1.1\r\nX: y", "\r\nX: y", "\t", "\0", "\u{a0}"]
            .map(|end| Case::new("POST", &format!("{GUARDED}{end}"))),
    );
    cases.extend(["POST /x", "GET\r\n", "", "P ST"].map(|method| Case::new(method, GUARDED)));
    cases.push(Case::new("POST", "/open").field(":path", GUARDED));
    cases.push(
        Case::new("POST", "/open")
            .field("x", &format!("y\r\n\r\nPOST {GUARDED} HTTP/1.1\r\nHost: oms.example\r\n\r\n")),
    );
    cases.push(Case::new("POST", "/open").host(&format!("oms.example{GUARDED}")));
    cases.push(Case::new("POST", "/open").host(&format!("oms.example\r\n\r\nPOST {GUARDED} HTTP/1.1\r\n")));
    cases
}

/// Each trick alone.
pub fn singly(method: &str) -> Vec<Case> {
    let mut targets = vec![GUARDED.to_owned(), GUARDED.to_ascii_lowercase(), GUARDED.to_ascii_uppercase()];
    let whole: String =
        GUARDED.chars().map(|letter| if letter == '/' { "/".into() } else { SPELLINGS[0](letter) }).collect();
    targets.extend([whole.replace('%', "%25"), whole.replace('/', "%2f").replacen("%2f", "/", 1), whole]);
    for (at, letter) in GUARDED.char_indices().filter(|(_, letter)| *letter != '/') {
        targets.extend(SPELLINGS.map(|spell| format!("{}{}{}", &GUARDED[..at], spell(letter), &GUARDED[at + 1..])));
    }
    targets.extend(BEFORE.map(|before| format!("{before}{GUARDED}")));
    targets.extend(BEFORE.map(|before| format!("{before}{}", &GUARDED[1..])));
    for between in BETWEEN {
        targets.push(format!("/api{between}service/updateInventory"));
        targets.push(format!("/api/service{between}updateInventory"));
    }
    targets.extend(BEHIND.map(|behind| format!("{GUARDED}{behind}")));
    let mut cases: Vec<Case> = targets.iter().map(|target| Case::new(method, target)).collect();
    cases.extend(METHODS.map(|method| Case::new(method, GUARDED)));
    for host in HOSTS {
        cases.push(Case::new(method, GUARDED).host(host));
        cases.push(Case::new(method, GUARDED).host("other.example").field("Host", host));
        cases.push(Case::new(method, GUARDED).host("other.example").field("X-Forwarded-Host", host));
        cases.push(Case::new(method, &format!("http://{host}{GUARDED}")).host("other.example"));
        cases.push(Case::new(method, &format!("http://other.example{GUARDED}")).host(host));
    }
    for name in METHOD_FIELDS {
        cases.extend(["POST", "post", "GET, POST", "POST,GET"].map(|to| Case::new("GET", GUARDED).field(name, to)));
        cases.push(Case::new("PUT", GUARDED).field(name, "HEAD").field(name, "POST"));
    }
    for name in URL_FIELDS {
        cases.push(Case::new(method, "/open").field(name, GUARDED));
        cases.push(Case::new(method, "/").field(name, &format!("http://oms.example{GUARDED}")));
        cases.push(Case::new(method, &format!("/pre{GUARDED}")).field(name, "/pre"));
    }
    cases
}
