//! From a config to what is in force.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::decision::route::Mode;
use crate::decision::snapshot::Snapshot;
use crate::live::Epoch;
use crate::proxy::Front;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{self, Upstream};

/// What outlives every epoch and is part of each.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    /// Where counters are kept by name.
    pub(super) metrics: Arc<Metrics>,
    /// Where lines of the access log go.
    pub(super) log: AccessLog,
}

impl Lasting {
    /// The epoch that a config makes, not in force yet; `before` is the one that it will follow. An upstream that stays as
    /// it was keeps its connections.
    ///
    /// # Errors
    /// A certificate file of an upstream.
    pub(super) fn epoch(
        &self,
        config: &Config,
        before: Option<&Epoch<Front>>,
    ) -> Result<Epoch<Front>, upstream::TlsError> {
        let known = before.map(|before| before.front.upstreams.as_slice()).unwrap_or_default();
        let mut by_name: HashMap<String, Vec<&Arc<Upstream>>> = HashMap::new();
        for upstream in known {
            by_name.entry(upstream.settings().name()).or_default().push(upstream);
        }
        let made = |settings: &upstream::Settings| {
            let name = settings.name();
            let new = Upstream::new(settings.clone(), self.metrics.upstream(&name))?;
            let known = by_name.get(&name).into_iter().flatten().find(|known| known.is_same(&new));
            Ok(known.map_or_else(|| Arc::new(new), |known| Arc::clone(known)))
        };
        let upstreams = config.upstreams.iter().map(made).collect::<Result<Vec<_>, _>>()?;
        let snapshot = config.snapshot.clone();
        let meters = snapshot.routes.routes().iter().map(|route| self.metrics.route(&route.name)).collect();
        let front = Front { settings: config.proxy.clone(), upstreams, log: self.log.told(&config.telemetry) };
        let number = before.map_or(1, |before| before.number + 1);
        Ok(Epoch { number, snapshot, memo: config.memo, meters, front: Arc::new(front) })
    }
}

/// The names of the routes in report mode.
pub(super) fn reporting(snapshot: &Snapshot) -> Vec<String> {
    let routes = snapshot.routes.routes().iter().filter(|route| route.mode == Mode::Report);
    routes.map(|route| route.name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;
    use crate::time::Clock;

    fn config(upstream: &str) -> Config {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nunmatched = \"open\"\n{upstream}\n\
             [[route]]\npath = \"/b\"\naccess = \"open\"\nupstream = \"http://127.0.0.1:8083\"\n"
        );
        parse(&text, Path::new("config.toml"), &|_| None).unwrap_or_else(|report| panic!("{report}"))
    }

    #[test]
    fn an_upstream_that_stays_as_it_was_keeps_its_connections() {
        let lasting = Lasting { metrics: Metrics::new(Clock::System), log: AccessLog::off() };
        let first = lasting.epoch(&config("upstream = \"http://127.0.0.1:8081\""), None).unwrap();
        let changed = "upstream = { url = \"http://127.0.0.1:8081\", connect_timeout = \"1s\" }";
        let second = lasting.epoch(&config(changed), Some(&first)).unwrap();
        assert_eq!((first.number, second.number), (1, 2));
        let kept = |at: usize| Arc::ptr_eq(&first.front.upstreams[at], &second.front.upstreams[at]);
        assert_eq!((kept(0), kept(1)), (false, true));
    }
}
