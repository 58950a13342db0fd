//! Tomcat 10: the resource mapped exactly, or found as OFBiz does by the first element of the path-info; as it comes, and
//! with everything permitted that a connector can permit; and by the name of a virtual host.

use std::path::Path;
use std::process::Command;

use super::start::{Door, Running, missing, runs};

const HOME: &str = "/usr/share/tomcat10";
const PAGE: &str = include_str!("tomcat/echo.jsp");

/// Starts one; `None`, with a word to standard error, where there is none to start.
pub fn start() -> Option<Running> {
    let jar = |name: &str| format!("{HOME}/bin/{name}.jar");
    if !Path::new(&jar("bootstrap")).exists() || !runs(Command::new("java").arg("-version")) {
        missing("Tomcat", "tomcat10-common, default-jre-headless");
        return None;
    }
    let mut doors = ["exact", "exact-lenient", "first", "first-lenient", "named"].map(Door::new);
    doors[4].limits = "host = \"oms.example\"\n";
    let exact = include_str!("tomcat/exact.xml");
    let files = [
        ("conf/server.xml", include_str!("tomcat/server.xml")),
        ("exact/ROOT/WEB-INF/web.xml", exact),
        ("exact/ROOT/WEB-INF/echo.jsp", PAGE),
        ("first/ROOT/WEB-INF/web.xml", include_str!("tomcat/first.xml")),
        ("first/ROOT/WEB-INF/echo.jsp", PAGE),
        ("other/ROOT/WEB-INF/web.xml", include_str!("tomcat/other.xml")),
        ("other/ROOT/WEB-INF/echo.jsp", PAGE),
        ("temp/.keep", ""),
    ];
    Some(Running::start(doors.into(), &files, |folder| {
        let mut command = Command::new("java");
        command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
        command.arg(format!("{}:{}", jar("bootstrap"), jar("tomcat-juli")));
        command.arg(format!("-Dcatalina.home={HOME}")).arg(format!("-Dcatalina.base={}", folder.display()));
        command.arg(format!("-Djava.io.tmpdir={}", folder.join("temp").display()));
        command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
        command
    }))
}
