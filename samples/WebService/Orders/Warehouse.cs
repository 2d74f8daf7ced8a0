using System.Collections.Frozen;
using Moirai;

namespace WebService.Orders;

/// <summary>All articles. Which there are never changes.</summary>
internal sealed class Warehouse(IReadOnlyDictionary<string, int> stock)
{
    private readonly FrozenDictionary<string, Article> _articles =
        stock.ToFrozenDictionary(static entry => entry.Key, static entry => new Article(entry.Key, entry.Value));

    public IEnumerable<string> Names => _articles.Keys.Order();

    /// <exception cref="OrderRefusedException">There is no such article.</exception>
    public Article Get(string name) =>
        _articles.TryGetValue(name, out Article? article) ? article : throw OrderRefusedException.UnknownArticle(name, Names);

    /// <summary>Audits one article after the other; each is exact, also while orders go on.</summary>
    public async Future<Audit> AuditAsync()
    {
        var articles = new List<ArticleAudit>(_articles.Count);
        foreach (string name in Names)
        {
            articles.Add(await _articles[name].AuditAsync());
        }

        return new Audit(articles.TrueForAll(static article => article.Consistent), articles);
    }
}

/// <summary>The account of the whole warehouse.</summary>
internal sealed record Audit(bool Consistent, IReadOnlyList<ArticleAudit> Articles)
{
    /// <summary>Whether no order holds anything: how it has to be when no order is in work.</summary>
    public bool IsAtRest => Articles.All(static article => article.Reserved == 0);
}
