<%@ page contentType="text/plain;charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %><%!
static String quoted(String text) {
    if (text == null) return "null";
    StringBuilder made = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
        if (c == '"' || c == '\\' || c < 32 || c > 126) made.append(String.format("\\u%04x", (int) c)); else made.append(c);
    }
    return made.append('"').toString();
}
// The first element of the path-info, `?` and what follows cut off, as OFBiz finds the name of a request.
static String first(String info) {
    java.util.StringTokenizer elements = new java.util.StringTokenizer(info == null ? "" : info, "/");
    return elements.hasMoreTokens() ? elements.nextToken().split("\\?", 2)[0] : "";
}
%><%
String pattern = request.getHttpServletMapping().getPattern();
boolean guarded = pattern.equals("/api/service/updateInventory")
    || pattern.equals("/api/service/*") && first(request.getPathInfo()).equalsIgnoreCase("updateInventory");
String served = guarded ? "guarded" : "other", query = request.getQueryString();
long length = 0;
byte[] chunk = new byte[8192];
for (int read; (read = request.getInputStream().read(chunk)) > 0; ) length += read;
StringBuilder headers = new StringBuilder();
for (String name : java.util.Collections.list(request.getHeaderNames()))
    for (String value : java.util.Collections.list(request.getHeaders(name)))
        headers.append(headers.length() == 0 ? "" : ",").append("[" + quoted(name) + "," + quoted(value) + "]");
response.setHeader("X-Served", served);
out.print(served + " " + request.getRequestURI() + (query == null ? "" : "?" + query) + "\n");
// What else came, for who wants to know more than which resource it was for.
out.print("{\"method\":" + quoted(request.getMethod()) + ",\"uri\":" + quoted(request.getRequestURI())
    + ",\"query\":" + quoted(query) + ",\"port\":" + request.getRemotePort()
    + ",\"length\":" + length + ",\"headers\":[" + headers + "]}");
%>
