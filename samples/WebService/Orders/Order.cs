namespace WebService.Orders;

/// <summary>What a customer sends.</summary>
internal sealed record OrderRequest(string? Customer, string? Article, int? Quantity);

/// <summary>What a customer gets when all went well.</summary>
internal sealed record Confirmation(long Order, string Customer, string Article, int Quantity, decimal Total, string PaymentReceipt);

/// <summary>Where an order is. Only the article's lock moves it.</summary>
internal enum OrderState
{
    /// <summary>Nothing is set aside for it.</summary>
    New,

    /// <summary>Its quantity is set aside.</summary>
    Reserved,

    /// <summary>Paid. Final.</summary>
    Sold,

    /// <summary>Its quantity is free again. Final.</summary>
    GivenBack,
}

/// <summary>One customer's wish, from its arrival to its end.</summary>
internal sealed class Order(string customer, Article article, int quantity)
{
    private static long s_lastId;

    public long Id { get; } = Interlocked.Increment(ref s_lastId);

    public string Customer { get; } = customer;

    public Article Article { get; } = article;

    public int Quantity { get; } = quantity;

    /// <summary>Written under the lock of <see cref="Article"/>.</summary>
    public OrderState State { get; set; }
}
