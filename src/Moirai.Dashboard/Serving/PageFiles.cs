using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Moirai.Dashboard.Serving;

/// <summary>The three files of the page, out of the assembly.</summary>
internal static class PageFiles
{
    internal static readonly PageFile Html = new("index.html", "text/html; charset=utf-8");
    internal static readonly PageFile Script = new("page.js", "text/javascript; charset=utf-8");
    internal static readonly PageFile Style = new("page.css", "text/css; charset=utf-8");
}

/// <summary>One file, read once. A browser asks whether it is still the same, and is told so.</summary>
internal sealed class PageFile(string name, string contentType)
{
    private readonly Lazy<(byte[] Content, string Tag)> _file = new(() =>
    {
        using Stream stream = typeof(PageFile).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The assembly lacks its resource '{name}'.");
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        return (content, $"\"{Convert.ToHexString(SHA256.HashData(content).AsSpan(0, 8))}\"");
    });

    internal async Task ServeAsync(HttpContext context)
    {
        (byte[] content, string tag) = _file.Value;
        HttpResponse response = context.Response;
        Answers.Secure(response);
        response.Headers.CacheControl = "no-cache";
        response.Headers.ETag = tag;
        if (context.Request.Headers[HeaderNames.IfNoneMatch] == tag)
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentType = contentType;
        response.ContentLength = content.Length;
        await response.Body.WriteAsync(content, context.RequestAborted).ConfigureAwait(false);
    }
}
