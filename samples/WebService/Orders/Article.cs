using Moirai;

namespace WebService.Orders;

/// <summary>One article on the shelf, with a lock of its own: orders for bread never wait for orders for wine.</summary>
/// <remarks>
/// <para>Invariant, whenever the lock is free: <c>initial == free + reserved + sold</c>, <c>reserved</c> is the sum of the orders that hold a
/// reservation, and <c>sold</c> is the sum of the orders that were sold. An order's state moves together with the counts.</para>
/// <para>The lock is one slot of a <see cref="TaskSlotManager"/>: whoever waits for it can be canceled, and then holds nothing.</para>
/// </remarks>
internal sealed class Article(string name, int initial)
{
    private readonly TaskSlotManager _lock = new(maxTasks: 1, $"the lock of '{name}'");

    // All below: under the lock.
    private readonly HashSet<Order> _holding = [];
    private readonly List<Order> _soldOrders = [];
    private long _free = initial;
    private long _reserved;
    private long _sold;
    private long _everReserved;
    private long _givenBack;

    public string Name { get; } = name;

    /// <summary>Sets the order's quantity aside.</summary>
    /// <exception cref="OrderRefusedException">There is not enough.</exception>
    public async Future ReserveAsync(Order order)
    {
        using SlotLease held = await _lock.AcquireAsync();
        if (order.Quantity > _free)
        {
            throw OrderRefusedException.OutOfStock(Name, order.Quantity, _free);
        }

        _free -= order.Quantity;
        _reserved += order.Quantity;
        _everReserved += order.Quantity;
        _holding.Add(order);
        order.State = OrderState.Reserved;
    }

    /// <summary>Turns the reservation into a sale.</summary>
    public async Future SellAsync(Order order)
    {
        using SlotLease held = await _lock.AcquireAsync();
        _reserved -= order.Quantity;
        _sold += order.Quantity;
        _holding.Remove(order);
        _soldOrders.Add(order);
        order.State = OrderState.Sold;
    }

    /// <summary>Gives back what the order still holds; does nothing if that is nothing.</summary>
    public async Future GiveBackAsync(Order order)
    {
        using SlotLease held = await _lock.AcquireAsync();
        if (order.State != OrderState.Reserved)
        {
            return;
        }

        _reserved -= order.Quantity;
        _free += order.Quantity;
        _givenBack += order.Quantity;
        _holding.Remove(order);
        order.State = OrderState.GivenBack;
    }

    /// <summary>Counts the shelf against the orders.</summary>
    public async Future<ArticleAudit> AuditAsync()
    {
        using SlotLease held = await _lock.AcquireAsync();
        long reservedByOrders = _holding.Sum(static order => (long)order.Quantity);
        long soldToOrders = _soldOrders.Sum(static order => (long)order.Quantity);
        bool consistent = _free >= 0
            && initial == _free + _reserved + _sold
            && _everReserved == _reserved + _sold + _givenBack
            && _reserved == reservedByOrders
            && _sold == soldToOrders;
        return new ArticleAudit(Name, initial, _free, _reserved, _sold, _everReserved, _givenBack, _holding.Count, _soldOrders.Count, consistent);
    }
}

/// <summary>The account of one article.</summary>
/// <param name="Article">Its name.</param>
/// <param name="Initial">How many there were.</param>
/// <param name="Free">How many can be ordered.</param>
/// <param name="Reserved">How many live orders hold.</param>
/// <param name="Sold">How many were sold.</param>
/// <param name="EverReserved">How many were ever set aside: reserved + sold + given back.</param>
/// <param name="GivenBack">How many came back from orders that failed, timed out or were canceled.</param>
/// <param name="LiveOrders">The orders that hold a reservation.</param>
/// <param name="SoldOrders">The orders that were sold.</param>
/// <param name="Consistent">Whether shelf and orders agree.</param>
internal sealed record ArticleAudit(
    string Article,
    long Initial,
    long Free,
    long Reserved,
    long Sold,
    long EverReserved,
    long GivenBack,
    int LiveOrders,
    int SoldOrders,
    bool Consistent);
