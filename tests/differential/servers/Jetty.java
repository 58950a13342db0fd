import java.io.IOException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.http.HttpCompliance;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.AbstractHandler;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/** One server for each way of finding the resource; the ports come as arguments. */
public class Jetty {
    static final String GUARDED = "/api/service/updateInventory";

    static void answer(String served, HttpServletRequest request, HttpServletResponse response) throws IOException {
        String query = request.getQueryString();
        response.setHeader("X-Served", served);
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().print(served + " " + request.getRequestURI() + (query == null ? "" : "?" + query) + "\n");
    }

    /** Serves what is mapped to it, or of that only what has the right first element in its path-info. */
    static class Echo extends HttpServlet {
        final boolean mapped, byInfo;

        Echo(boolean mapped, boolean byInfo) {
            this.mapped = mapped;
            this.byInfo = byInfo;
        }

        @Override
        protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
            String info = request.getPathInfo();
            boolean first = info != null && info.split("/").length > 1 && info.split("/")[1].equalsIgnoreCase("updateInventory");
            answer(mapped && (!byInfo || first) ? "guarded" : "other", request, response);
        }
    }

    static Handler mapped(String pattern, boolean byInfo) {
        ServletContextHandler context = new ServletContextHandler();
        context.setContextPath("/");
        context.addServlet(new ServletHolder(new Echo(true, byInfo)), pattern);
        context.addServlet(new ServletHolder(new Echo(false, false)), "/");
        return context;
    }

    static Handler byTarget() {
        return new AbstractHandler() {
            @Override
            public void handle(String target, Request base, HttpServletRequest request, HttpServletResponse response)
                    throws IOException {
                answer(target.equals(GUARDED) ? "guarded" : "other", request, response);
                base.setHandled(true);
            }
        };
    }

    static void start(String port, HttpCompliance compliance, Handler handler) throws Exception {
        Server server = new Server();
        HttpConnectionFactory factory = new HttpConnectionFactory();
        factory.setHttpCompliance(compliance);
        ServerConnector connector = new ServerConnector(server, 1, 1, factory);
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(port));
        server.addConnector(connector);
        server.setHandler(handler);
        server.start();
    }

    public static void main(String[] ports) throws Exception {
        start(ports[0], HttpCompliance.RFC7230, mapped(GUARDED, false));
        start(ports[1], HttpCompliance.RFC7230, mapped("/api/service/*", true));
        start(ports[2], HttpCompliance.LEGACY, mapped("/api/service/*", true));
        start(ports[3], HttpCompliance.LEGACY, byTarget());
    }
}
