using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace WebService.Tests;

/// <summary>Pictures for the README: kept as output of the tests (artifacts/screenshots), and put into docs/images where <c>KEEP_PICTURES</c> is set.</summary>
internal static partial class Picture
{
    private static readonly string s_root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../.."));

    /// <summary>Whether the picture is to be put into the documents: then it is worth to wait until there is something to see.</summary>
    public static bool IsForDocuments => Environment.GetEnvironmentVariable("KEEP_PICTURES") is not null;

    public static async Task KeepAsync(string name, IPage page, string? part = null)
    {
        byte[] picture = part is null ? await page.ScreenshotAsync() : await page.Locator(part).ScreenshotAsync();
        TestContext.Current.AddAttachment($"{name}.png", picture, "image/png");
        foreach (string folder in IsForDocuments ? new[] { "artifacts/screenshots", "docs/images" } : ["artifacts/screenshots"])
        {
            Directory.CreateDirectory(Path.Combine(s_root, folder));
            await File.WriteAllBytesAsync(Path.Combine(s_root, folder, $"{name}.png"), picture);
        }
    }

    /// <summary>What a terminal would show: text and the colors that the command uses, as a page.</summary>
    public static string OfTerminal(string text)
    {
        var html = new StringBuilder();
        html.Append("<style>body{margin:0;background:#12111a}pre{display:inline-block;margin:0;padding:14px 18px;background:#12111a;color:#d8d5e6;font:13px/1.32 'DejaVu Sans Mono','Liberation Mono',monospace}")
            .Append(".c1{font-weight:700;color:#fff}.c32{color:#4cd6b0}.c36{color:#56b6c2}.c90{color:#8b87a1}.c1-31{font-weight:700;color:#ff6b7b}.c1-36{font-weight:700;color:#7fd4e0}</style><pre>");
        foreach (string piece in Looks().Split(text.Replace("\e[K", string.Empty, StringComparison.Ordinal).Replace("\r", string.Empty, StringComparison.Ordinal)))
        {
            html.Append(Look().Match(piece) switch
            {
                { Success: true } look when look.Groups[1].Value == "0" => "</span>",
                { Success: true } look => $"<span class='c{look.Groups[1].Value.Replace(';', '-')}'>",
                _ => WebUtility.HtmlEncode(piece),
            });
        }

        return html.Append("</pre>").ToString();
    }

    [GeneratedRegex(@"(?<=\e\[[0-9;]*m)|(?=\e\[[0-9;]*m)")]
    private static partial Regex Looks();

    [GeneratedRegex(@"^\e\[([0-9;]*)m$")]
    private static partial Regex Look();
}
