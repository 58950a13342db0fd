//! From a config to what is in force.

use std::sync::Arc;

use super::StartError;
use crate::decision::route::Mode;
use crate::decision::snapshot::Snapshot;
use crate::live::Epoch;
use crate::proxy::{self, Front};
use crate::telemetry::metrics::Metrics;
use crate::upstream::{self, Upstream};

/// The epoch to begin with.
pub(super) fn first(
    upstreams: Vec<upstream::Settings>,
    snapshot: Snapshot,
    settings: proxy::Settings,
    metrics: &Arc<Metrics>,
) -> Result<Epoch<Front>, StartError> {
    metrics.epoch(1);
    let made = |settings: upstream::Settings| {
        let meters = metrics.upstream(&settings.name());
        Upstream::new(settings, meters).map(Arc::new)
    };
    let upstreams = upstreams.into_iter().map(made).collect::<Result<Vec<_>, _>>()?;
    let meters = snapshot.routes.routes().iter().map(|route| metrics.route(&route.name)).collect();
    Ok(Epoch { number: 1, snapshot, meters, front: Arc::new(Front { settings, upstreams }) })
}

/// The names of the routes in report mode.
pub(super) fn reporting(snapshot: &Snapshot) -> Vec<String> {
    let routes = snapshot.routes.routes().iter().filter(|route| route.mode == Mode::Report);
    routes.map(|route| route.name.to_string()).collect()
}
