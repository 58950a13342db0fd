//! `waxseal explain`: what would happen to a request, and why.

use std::fs::File;
use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;

use super::{ConfigFile, Failure, STDIN, input, moment, read, tell, tell_json};
use crate::config::Config;
use crate::explain::{Explanation, Logged, explain};
use crate::keys::Keeper;
use crate::net::Peer;
use crate::proxy::preview::Asked;
use crate::secret::Secret;
use crate::time::Clock;

/// What `explain` is told.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    config: ConfigFile,
    /// The method of the request.
    #[arg(required_unless_present = "from_log")]
    method: Option<String>,
    /// Its target: a path with or without query, byte for byte, or a URL.
    #[arg(required_unless_present = "from_log")]
    target: Option<String>,
    /// A header field of the request; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "'NAME: VALUE'")]
    headers: Vec<String>,
    /// The token, shown where the route looks for one; `-` reads it from standard input, out of sight of other
    /// processes.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The moment at which it is judged: 2026-10-30T07:05:09Z, or seconds since 1970 [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The address that the request comes from.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    peer: IpAddr,
    /// Explain lines of the access log instead, from a file or, with `-`, from standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "target", "headers", "at", "peer"])]
    from_log: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Explains a request, and says whether it would pass.
pub(super) fn run(asked: &Explain) -> Result<bool, Failure> {
    let mut config = asked.config.load()?;
    // Nothing is fetched here: what lies on the shelf is what a restart would begin with.
    Keeper::new(&config.issuers, Clock::System, |_| Arc::default()).furnish(&mut config.snapshot.issuers);
    match &asked.from_log {
        Some(file) => from_log(asked, file, &config),
        None => {
            let told = explain(&config, &request(asked, &config)?, moment(asked.at.as_deref())?);
            show(&told, asked.json)?;
            Ok(told.passes())
        }
    }
}

fn from_log(asked: &Explain, file: &str, config: &Config) -> Result<bool, Failure> {
    if file == STDIN && asked.token.as_deref() == Some(STDIN) {
        return Err(Failure::at_start("--token - and --from-log - both want standard input: give one of them a value"));
    }
    let token = token(asked)?;
    let lines = match file {
        STDIN => input()?,
        file => read(File::open(file).map_err(|error| Failure::at_start(format!("{file}: {error}")))?, file)?,
    };
    let mut passes = true;
    let mut lines = lines.lines().filter(|line| !line.trim().is_empty()).peekable();
    if lines.peek().is_none() {
        return Err(Failure::at_start("there is no line to explain"));
    }
    for line in lines {
        let logged = Logged::read(line).map_err(Failure::at_start)?;
        let told = logged.explain(config, token.as_ref());
        if !asked.json {
            tell(logged.remark(&told, token.is_some()))?;
        }
        show(&told, asked.json)?;
        passes &= told.passes();
    }
    Ok(passes)
}

fn show(told: &Explanation, json: bool) -> Result<(), Failure> {
    match json {
        true => tell_json(told),
        false => tell(told.to_string().trim_end()),
    }
}

fn request(asked: &Explain, config: &Config) -> Result<Asked, Failure> {
    let (method, target) = (asked.method.as_deref().unwrap_or_default(), asked.target.as_deref().unwrap_or_default());
    let mut request = Asked::new(method, target).map_err(Failure::at_start)?;
    request.conn.peer = Peer::Ip((asked.peer, 0).into());
    for field in &asked.headers {
        request.header(field).map_err(|problem| Failure::at_start(format!("-H: {problem}")))?;
    }
    if let Some(token) = token(asked)? {
        request.show(&token, &config.snapshot);
    }
    Ok(request)
}

fn token(asked: &Explain) -> Result<Option<Secret<String>>, Failure> {
    match asked.token.as_deref() {
        None => Ok(None),
        Some(STDIN) => input().map(|text| Some(Secret::new(text.trim().to_owned()))),
        Some(token) => Ok(Some(Secret::new(token.to_owned()))),
    }
}
