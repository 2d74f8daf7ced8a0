using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Moirai.Dashboard.Frames;

namespace Moirai.Dashboard.Serving;

/// <summary>How answers are written.</summary>
internal static class Answers
{
    // Nothing but what comes from here runs, is drawn, or is asked; and nobody puts the page into a frame.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    internal static void Secure(HttpResponse response)
    {
        IHeaderDictionary headers = response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
    }

    internal static Task JsonAsync<T>(HttpContext context, T answer, JsonTypeInfo<T> form, int status = StatusCodes.Status200OK, string contentType = "application/json; charset=utf-8")
    {
        Begin(context, status, contentType);
        return JsonSerializer.SerializeAsync(context.Response.Body, answer, form, context.RequestAborted);
    }

    internal static Task RefuseAsync(HttpContext context, int status, string why) =>
        JsonAsync(context, new Refusal(why, status), DashboardJson.Default.Refusal, status, "application/problem+json; charset=utf-8");

    internal static void Begin(HttpContext context, int status, string contentType)
    {
        Secure(context.Response);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
    }
}
