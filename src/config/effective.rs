//! The settings in effect, each with the source of its value.
//!
//! They are made when somebody asks, not when a config is loaded: the config keeps the text that it was read from, and
//! that is read here once more, for the places of the values and for what nothing but a reader needs. No file and no
//! variable is looked at again. Values are those that were resolved wherever that can be said in the words of the file;
//! secrets stay hidden.

mod issuer;
mod route;
mod test;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use toml::de::DeTable;

use super::diagnostic::Notes;
use super::quantity::{Size, Time};
use super::reader::{Choice, Field};
use super::resolve::CONNECTIONS;
use super::source::Source;
use super::{Config, raw};
use crate::decision::policy::Policy;
use crate::net::Listen;
use crate::proxy::preview::HIDDEN;
use crate::secret::Secret;
use crate::upstream::{Server, Settings as Upstream};

/// What a config was read from. A secret may stand in it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) text: Secret<String>,
    pub(super) file: Box<Path>,
}

impl Written {
    /// The text of a file, as it was asked for.
    pub(super) fn new(text: &str, file: &Path) -> Self {
        Self { text: Secret::new(text.to_owned()), file: file.into() }
    }
}

/// All settings of a config, in the order of the README's reference.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The name of the file.
    pub(super) file: String,
    pub(super) settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) table: Table,
    pub(super) key: &'static str,
    /// In the words of the file; null where it is not set.
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The table that a setting stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// None.
    Top,
    /// One that there is once.
    One(&'static str),
    /// `[issuer.NAME]`
    Issuer(String),
    /// `[[route]]`, counted from 0.
    Route(usize),
    /// A table of a route.
    OfRoute(usize, &'static str),
    /// `[[test]]`, counted from 0.
    Test(usize),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file, at that line.
    File(usize),
    /// Nobody said otherwise.
    Default,
    /// Something else that is there.
    Found(&'static str),
    /// There is no value; what that means.
    Unset(&'static str),
}

impl Config {
    /// The settings in effect and their sources. Reads the text of the file once more, so it is nothing for every
    /// request.
    pub fn effective(&self) -> Effective {
        let Written { text, file } = &self.written;
        let (tree, _) = DeTable::parse_recoverable(text.expose());
        let mut notes = Notes::new(text.expose(), file);
        let raw = raw::File::read(tree.get_ref(), &mut notes);
        let mut all = Gathered { settings: Vec::new(), notes };
        top(self, &raw, &mut all);
        if let Some(upstream) = self.upstreams.first() {
            upstream_table(upstream, &raw.upstream, &mut all.of(Table::One("upstream")));
        }
        issuer::issuers(self, &raw, &mut all);
        route::routes(self, &raw, &mut all);
        test::tests(self, &raw, &mut all);
        tls(self, &raw, &mut all);
        limits(self, &raw, &mut all);
        fronts(self, &raw, &mut all);
        process(self, &raw, &mut all);
        let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        let file = file.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
        Effective { file, settings: all.settings }
    }
}

/// Settings as they are found.
struct Gathered<'t> {
    settings: Vec<Setting>,
    notes: Notes<'t>,
}

impl<'t> Gathered<'t> {
    /// Those of a table.
    fn of<'g>(&'g mut self, table: Table) -> Section<'g, 't> {
        Section { all: self, table }
    }
}

/// The settings of one table as they are found.
struct Section<'g, 't> {
    all: &'g mut Gathered<'t>,
    table: Table,
}

impl Section<'_, '_> {
    /// A setting with a value, written in the file or by default.
    fn add<T>(&mut self, key: &'static str, field: &Field<T>, value: impl Into<Value>) {
        self.add_or(key, field, value, Origin::Default);
    }

    /// A setting with a value, written in the file or coming from elsewhere.
    fn add_or<T>(&mut self, key: &'static str, field: &Field<T>, value: impl Into<Value>, other: Origin) {
        let origin = field.span().map_or(other, |span| Origin::File(self.all.notes.line(span.start)));
        self.all.settings.push(Setting { table: self.table.clone(), key, value: value.into(), origin });
    }

    /// A setting that may have no value, and what that means.
    fn maybe<T, V: Into<Value>>(
        &mut self,
        key: &'static str,
        field: &Field<T>,
        value: Option<V>,
        meaning: &'static str,
    ) {
        match value {
            Some(value) => self.add(key, field, value),
            None => self.add_or(key, &Field::<T>::Absent, Value::Null, Origin::Unset(meaning)),
        }
    }
}

/// A table that is given, or one in which nothing is.
fn table<T: Clone + Default>(field: &Field<T>) -> T {
    field.get().cloned().unwrap_or_default()
}

fn top(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let mut top = all.of(Table::Top);
    top.add("listen", &file.listen, config.net.listen.iter().map(listen).collect::<Vec<_>>());
    let unmatched = config.snapshot.routes.routes().last().map_or("deny", |route| access(&route.policy));
    top.add("unmatched", &file.unmatched, unmatched);
    let cores = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cores.lines().filter(|line| line.starts_with("processor")).count();
    let found = if cores > config.net.workers { "the CPU limit of the container" } else { "the number of cores" };
    top.add_or("workers", &file.workers, config.net.workers, Origin::Found(found));
}

fn upstream_table(upstream: &Upstream, field: &Field<raw::Upstream>, section: &mut Section<'_, '_>) {
    let raw = field.get().map(|upstream| upstream.0.clone()).unwrap_or_default();
    section.add("url", &raw.url, upstream.servers.iter().map(url).collect::<Vec<_>>());
    section.add("connect_timeout", &raw.connect_timeout, time(upstream.connect_timeout));
    section.add("response_timeout", &raw.response_timeout, time(upstream.response_timeout));
    section.add("idle_timeout", &raw.idle_timeout, time(upstream.idle_timeout));
    section.add("max_idle", &raw.max_idle, upstream.max_idle);
    section.add("host", &raw.host, word(upstream.host));
    section.maybe("ca", &raw.ca, raw.ca.get().cloned(), "the system's authorities and those built in");
    section.maybe("client_cert", &raw.client_cert, raw.client_cert.get().cloned(), "none is shown");
    section.maybe("client_key", &raw.client_key, raw.client_key.get().cloned(), "none");
    section.maybe("server_name", &raw.server_name, upstream.tls.server_name.clone(), "the URL's host");
}

fn tls(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let raw = table(&file.tls);
    let Some(tls) = &config.net.tls else {
        return all.of(Table::Top).maybe("tls", &file.tls, None::<Value>, "no address begins with https://");
    };
    let mut section = all.of(Table::One("tls"));
    section.maybe("cert", &raw.cert, raw.cert.get().cloned(), "none");
    section.maybe("key", &raw.key, raw.key.get().cloned(), "none");
    section.add("min_version", &raw.min_version, if tls.tls12 { "1.2" } else { "1.3" });
    section.add("client_auth", &raw.client_auth, "off");
}

fn limits(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let (raw, net, proxy) = (table(&file.limits), &config.net.limits, &config.proxy);
    let mut section = all.of(Table::One("limits"));
    section.add("header_size", &raw.header_size, size(u64::try_from(net.header_size).unwrap_or(u64::MAX)));
    section.add("headers", &raw.headers, net.headers);
    section.add("header_timeout", &raw.header_timeout, time(net.header_timeout));
    section.maybe("body_size", &raw.body_size, proxy.body_size.map(size), "any");
    section.add("body_stall", &raw.body_stall, time(proxy.body_stall));
    section.maybe("request_timeout", &raw.request_timeout, proxy.request_timeout.map(time), "any");
    section.add("idle_timeout", &raw.idle_timeout, time(net.idle_timeout));
    let cut = Origin::Found("40 % of the process's descriptor limit, which is less than the default of 20000");
    let other = if net.connections < CONNECTIONS { cut } else { Origin::Default };
    section.add_or("connections", &raw.connections, net.connections, other);
    section.add("streams", &raw.streams, net.streams);
}

fn fronts(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let proxy = &config.proxy;
    all.of(Table::One("paths")).add("strict", &table(&file.paths).strict, config.snapshot.strict_paths);
    let raw = table(&file.answers);
    let mut section = all.of(Table::One("answers"));
    section.add("style", &raw.style, word(proxy.answers.style));
    section.add("realm", &raw.realm, proxy.answers.realm.clone());
    section.add("reason", &raw.reason, if proxy.answers.exact { "exact" } else { "coarse" });
    let raw = table(&file.cors);
    let origins = raw.origins.get().map(|list| list.0.as_slice()).unwrap_or_default();
    let mut section = all.of(Table::One("cors"));
    section.add("origins", &raw.origins, origins.iter().map(|origin| origin.value.clone()).collect::<Vec<_>>());
    section.add("preflight", &raw.preflight, if proxy.cors.answer_preflight { "answer" } else { "pass" });
    let raw = table(&file.forwarded);
    let networks = proxy.trust.networks.iter().map(ToString::to_string);
    let trust: Vec<String> = networks.chain(proxy.trust.unix.then(|| "unix".to_owned())).collect();
    let mut section = all.of(Table::One("forwarded"));
    section.add("trust", &raw.trust, trust);
    section.add("proxy_protocol", &raw.proxy_protocol, false);
    let (raw, admin) = (table(&file.admin), &config.admin);
    let mut section = all.of(Table::One("admin"));
    section.add("listen", &raw.listen, admin.listen.to_string());
    section.maybe("token", &raw.token, raw.token.get().map(source), "none is asked for");
    section.maybe("probes", &raw.probes, admin.probes.map(|address| address.to_string()), "no second address");
    section.add("ready_without_keys", &raw.ready_without_keys, admin.ready_without_keys);
}

fn process(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let raw = table(&file.log);
    let mut section = all.of(Table::One("log"));
    section.add("format", &raw.format, word(config.telemetry.format));
    section.add("level", &raw.level, config.telemetry.level.to_string());
    section.add("access", &raw.access, config.telemetry.access);
    let raw = table(&file.drain);
    let mut section = all.of(Table::One("drain"));
    section.add("delay", &raw.delay, time(config.net.drain.delay));
    section.add("timeout", &raw.timeout, time(config.net.drain.timeout));
    let raw = table(&file.memo);
    let mut section = all.of(Table::One("memo"));
    section.add("entries", &raw.entries, config.memo.entries);
    section.add("size", &raw.size, size(config.memo.size));
}

fn time(time: Duration) -> String {
    Time(time).to_string()
}

fn size(bytes: u64) -> String {
    Size(bytes).to_string()
}

/// How the file says it.
fn word<T: Choice + PartialEq>(meaning: T) -> &'static str {
    T::WORDS.iter().find(|(_, own)| *own == meaning).map_or("", |(word, _)| word)
}

fn access(policy: &Policy) -> &'static str {
    match policy {
        Policy::Open => "open",
        Policy::Deny => "deny",
        Policy::Require(_) => "protected",
    }
}

fn listen(listen: &Listen) -> String {
    match listen {
        Listen::Tcp { address, tls: false } => address.to_string(),
        Listen::Tcp { address, tls: true } => format!("https://{address}"),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn url(server: &Server) -> String {
    match server {
        Server::Tcp { host, port, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            if host.contains(':') { format!("{scheme}://[{host}]:{port}") } else { format!("{scheme}://{host}:{port}") }
        }
        Server::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Where a secret comes from, never what it is.
fn source(source: &Source) -> Value {
    match source {
        Source::File(path) => json!({ "file": path }),
        Source::Env(name) => json!({ "env": name }),
        Source::Text(_) => json!({ "text": HIDDEN }),
    }
}
