//! A real Tomcat behind waxseal: no spelling that it takes for the guarded resource passes without a token.
//!
//! The web application dispatches as OFBiz does: by the first element of the path-info, `?` and what follows cut off.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, Response, ask, request};
use crate::harness::Sidecar;
use crate::program::{Program, own_port};
use crate::tokens::{bearer, good, hotwax_issuer};

const HOME: &str = "/usr/share/tomcat10";
/// What the page answers where it takes a request for the guarded service.
const TAKEN: &str = "updateInventory";

const SERVER: &str = r#"<Server port="-1"><Service name="Catalina">
<Connector address="127.0.0.1" port="STRICT" protocol="HTTP/1.1" maxThreads="8" minSpareThreads="1"/>
<Connector address="127.0.0.1" port="LENIENT" protocol="HTTP/1.1" maxThreads="8" minSpareThreads="1"
  encodedSolidusHandling="decode" allowBackslash="true" relaxedPathChars="&lt;&gt;[\]^`{|}"/>
<Engine name="Catalina" defaultHost="localhost">
<Host name="localhost" appBase="webapps" autoDeploy="false"/></Engine></Service></Server>"#;

const WEB: &str = r#"<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
<servlet><servlet-name>echo</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
<init-param><param-name>jspFile</param-name><param-value>/WEB-INF/echo.jsp</param-value></init-param>
<load-on-startup>1</load-on-startup></servlet>
<servlet-mapping><servlet-name>echo</servlet-name><url-pattern>/api/service/*</url-pattern></servlet-mapping>
<servlet-mapping><servlet-name>echo</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
</web-app>"#;

const PAGE: &str = r#"<%@ page contentType="application/json;charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %><%!
static String quoted(String text) {
    if (text == null) return "null";
    StringBuilder made = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
        if (c == '"' || c == '\\' || c < 32 || c > 126) made.append(String.format("\\u%04x", (int) c)); else made.append(c);
    }
    return made.append('"').toString();
}
%><%
String service = "";
java.util.StringTokenizer elements = new java.util.StringTokenizer(request.getPathInfo() == null ? "" : request.getPathInfo(), "/");
if (elements.hasMoreTokens()) service = elements.nextToken().split("\\?", 2)[0];
long length = 0;
byte[] chunk = new byte[8192];
for (int read; (read = request.getInputStream().read(chunk)) > 0; ) length += read;
StringBuilder headers = new StringBuilder();
for (String name : java.util.Collections.list(request.getHeaderNames()))
    for (String value : java.util.Collections.list(request.getHeaders(name)))
        headers.append(headers.length() == 0 ? "" : ",").append("[" + quoted(name) + "," + quoted(value) + "]");
out.print("{\"service\":" + quoted(service) + ",\"method\":" + quoted(request.getMethod()) + ",\"uri\":" + quoted(request.getRequestURI())
    + ",\"info\":" + quoted(request.getPathInfo()) + ",\"query\":" + quoted(request.getQueryString()) + ",\"port\":" + request.getRemotePort()
    + ",\"length\":" + length + ",\"headers\":[" + headers + "]}");
%>"#;

/// A Tomcat with a folder of its own. Dropped, its process is killed by its id.
struct Tomcat {
    base: TempDir,
    strict: SocketAddr,
    lenient: SocketAddr,
    process: Option<Program>,
}

impl Tomcat {
    /// Starts one; `None`, with a word to standard error, where there is none to start.
    fn start() -> Option<Self> {
        let java = Command::new("java").arg("-version").stderr(Stdio::null()).stdout(Stdio::null()).status();
        if !Path::new(HOME).join("lib/catalina.jar").exists() || !java.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: no Tomcat here (package tomcat10-common, and java)");
            return None;
        }
        let base = TempDir::new().unwrap();
        let (strict, lenient) = (own_port(), own_port());
        let server = SERVER.replace("STRICT", &strict.to_string()).replace("LENIENT", &lenient.to_string());
        for (name, text) in [
            ("conf/server.xml", server.as_str()),
            ("webapps/ROOT/WEB-INF/web.xml", WEB),
            ("webapps/ROOT/WEB-INF/echo.jsp", PAGE),
            ("temp/.keep", ""),
        ] {
            let file: PathBuf = base.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut tomcat = Self { base, strict: at(strict), lenient: at(lenient), process: None };
        tomcat.wake();
        Some(tomcat)
    }

    /// Starts the process, and waits until the page answers.
    fn wake(&mut self) {
        let jar = |name: &str| format!("{HOME}/bin/{name}.jar");
        let mut command = Command::new("java");
        command.args(["-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
        command.arg(format!("{}:{}", jar("bootstrap"), jar("tomcat-juli")));
        command.arg(format!("-Dcatalina.home={HOME}")).arg(format!("-Dcatalina.base={}", self.base.path().display()));
        command.arg(format!("-Djava.io.tmpdir={}", self.base.path().join("temp").display()));
        command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
        let process = self.process.insert(Program::spawn(&mut command, self.base.path()));
        // A minute: a Java machine starts slowly where others build.
        for _ in 0..1200 {
            let page = straight(self.strict, "/api/service/updateInventory");
            if taken(&page) && TcpStream::connect(self.lenient).is_ok() {
                return;
            }
            assert!(process.is_running(), "Tomcat ended: {}{}", process.out(), process.err());
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("Tomcat does not answer: {}{}", process.out(), process.err());
    }

    fn stop(&mut self) {
        self.process = None;
    }
}

fn guard(tomcat: &Tomcat) -> Sidecar {
    Sidecar::start(&format!(
        "unmatched = \"open\"\nupstream = \"http://{}\"\n{}[[route]]\npath = \"/api/service/updateInventory\"\n\
         forward = {{ claims = {{ X-Auth-User = \"userLoginId\" }} }}\n",
        tomcat.strict,
        hotwax_issuer()
    ))
}

/// The answer of a server to a target without a token; `None` where it closes without one.
fn straight(to: SocketAddr, target: &str) -> Option<Response> {
    let mut stream = TcpStream::connect(to).ok()?;
    let mut bytes = Vec::new();
    let sent =
        format!("POST {target} HTTP/1.1\r\nHost: oms.example\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
    stream.write_all(sent.as_bytes()).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, head: head.to_owned(), body: body.as_bytes().to_vec() })
}

/// Whether the page took it for the guarded service, in whatever letter case.
fn taken(response: &Option<Response>) -> bool {
    let marker = format!("\"service\":\"{}\"", TAKEN.to_ascii_lowercase());
    response.as_ref().is_some_and(|response| {
        response.status == 200 && String::from_utf8_lossy(&response.body).to_ascii_lowercase().contains(&marker)
    })
}

/// Spellings of the guarded resource, made of what can be done to each part of it.
fn spellings() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = [
        "/api/service/updateInventory",
        "/api/service/updateinventory",
        "/API/service/updateInventory",
        "http://oms.example/api/service/updateInventory",
        "http://other.example:81//api/service/updateInventory",
        "/api/service/updateInventory?x=../y",
        "/api/service/updateInventory#x",
        "/api/service/%2575pdateInventory",
        "/api/service/updateInventory%00",
        "/api/service/updateInventory%20",
        "/api/%E2%80%A5/service/updateInventory",
        "/api/service/%C0%AFupdateInventory",
        "/api/service/updateInv%65ntory;a=b;c/d;e",
        "/%61%70%69/%73%65%72%76%69%63%65/%75%70%64%61%74%65%49%6e%76%65%6e%74%6f%72%79",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    // Before it, between its parts, and behind it.
    let before = [
        "/",
        "//",
        "/;x",
        "/.",
        "/./",
        "/x/..",
        "/x/%2e%2e",
        "/x/..;a=b",
        "/%2e",
        "/..",
        "/;jsessionid=1/",
        "//evil.example/..",
        "%2f",
        "\\",
    ];
    let between = [
        "//",
        "/./",
        "/;/",
        "/x/../",
        "/%2e/",
        "/%2E%2e/service/",
        ";a/",
        ";jsessionid=AB12/",
        "/x;y/..;z/",
        "%2f",
        "%2F/",
        "\\",
        "%5c",
        "/.;/",
    ];
    let behind = [
        "/",
        "//",
        ";",
        ";a=b",
        ";jsessionid=1",
        "/x",
        "/x/y.json",
        "/..;/updateInventory",
        "/.",
        "/x/..",
        "%3F",
        "%3Fx",
        "%3fx/y",
        "/%20",
        "%2fx",
        "%2f..",
        "?",
        "?a=b;c",
        "%3B",
        "\\x",
        ";%2f",
    ];
    for before in before {
        let join = if before.ends_with(['/', 'f', '\\']) { "" } else { "/" };
        all.insert(format!("{before}{join}api/service/updateInventory"));
    }
    for between in between {
        all.insert(format!("/api{between}service/updateInventory"));
        all.insert(format!("/api/service{between}updateInventory"));
    }
    for behind in behind {
        all.insert(format!("/api/service/updateInventory{behind}"));
    }
    all
}

#[test]
fn what_a_real_tomcat_takes_for_the_guarded_resource_needs_a_token() {
    let Some(tomcat) = Tomcat::start() else { return };
    let sidecar = guard(&tomcat);
    let mut proven = Vec::new();
    for target in spellings() {
        let (strict, lenient) = (taken(&straight(tomcat.strict, &target)), taken(&straight(tomcat.lenient, &target)));
        if strict || lenient {
            let response = straight(sidecar.address, &target).unwrap_or_else(|| panic!("{target}: no answer"));
            assert!(matches!(response.status, 400 | 401), "{target}: {}", response.head);
            proven.push(target);
        }
    }
    assert!(proven.len() >= 55, "Tomcat took only {} spellings: {proven:?}", proven.len());
}

#[test]
fn with_a_token_tomcat_sees_the_request_as_it_was_and_one_identity() {
    let Some(mut tomcat) = Tomcat::start() else { return };
    let sidecar = guard(&tomcat);
    let token = bearer(&good());
    let forged = [("X-Auth-User", "admin"), ("X_Auth_User", "root"), ("X-Forwarded-For", "203.0.113.9")];
    let mut fields = vec![("Authorization", token.as_str()), ("Content-Type", "application/json")];
    fields.extend(forged);
    let mut client = Client::connect(sidecar.address);
    let mut ports = BTreeSet::new();
    for (method, rest, body) in [
        ("POST", "?a=1&a=2&b=%7B%22x%22%3A%2F%7D", "{}".to_owned()),
        ("POST", "/below;v=1", "x".repeat(100_000)),
        ("GET", "?", String::new()),
        ("GET", "/%2B%20", String::new()),
    ] {
        let target = format!("/api/service/updateInventory{rest}");
        let response = client.send(&request(method, &target, &fields, &body)).response(false);
        assert_eq!(response.status, 200, "{method} {target}");
        let seen = response.json();
        let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        assert_eq!((seen["method"].as_str(), seen["uri"].as_str()), (Some(method), Some(path)), "{seen}");
        assert_eq!((seen["query"].as_str(), &seen["length"]), (query, &Value::from(body.len())), "{target}");
        let named = |name: &str| -> Vec<&str> {
            let folded = |text: &str| text.to_ascii_lowercase().replace('_', "-");
            let all = seen["headers"].as_array().unwrap().iter();
            all.filter(|field| folded(field[0].as_str().unwrap()) == name)
                .map(|field| field[1].as_str().unwrap())
                .collect()
        };
        assert_eq!(named("x-auth-user"), ["boomi"], "{target}");
        assert_eq!(named("authorization"), [&*token], "{target}");
        assert_eq!(named("x-forwarded-for"), ["127.0.0.1"], "{target}");
        assert_eq!(named("host"), ["oms.example"], "{target}");
        ports.insert(seen["port"].as_u64().unwrap());
    }
    assert_eq!(ports.len(), 1, "one connection to Tomcat served all");
    harmless_targets_arrive_as_they_were_sent(&sidecar);
    tomcat.stop();
    let down = ask(sidecar.address, "POST", "/api/service/updateInventory", &fields, "{}");
    assert_eq!((down.status, &*down.code()), (502, "upstream_unreachable"));
    tomcat.wake();
    assert_eq!(ask(sidecar.address, "POST", "/api/service/updateInventory", &fields, "{}").status, 200);
}

/// The open part of the same server; it shares the test above since a Tomcat takes seconds to start.
fn harmless_targets_arrive_as_they_were_sent(sidecar: &Sidecar) {
    for target in [
        "/api/service/findProducts",
        "/api/service/updateInventories",
        "/api/service/a%20b",
        "/api/service/%C3%BC",
        "/api/service/100%25",
        "/.well-known/x",
        "/api/a..b",
        "/api/a,b",
        "//api/login",
        "/x;jsessionid=1",
        "/api/service/x;v=1/y?next=/api/service/updateInventory",
        "/",
    ] {
        let response = ask(sidecar.address, "GET", target, &[], "");
        assert_eq!(response.status, 200, "{target}");
        let path = target.split('?').next().unwrap();
        assert_eq!(response.json()["uri"], path, "{target}");
    }
}
