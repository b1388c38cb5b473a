"""What a cell costs: the arithmetic, the sizes that Terraform is given, and the contract's figures beside it."""

import copy

import pytest

from tools.terraform.cost import CLOUDS, USERS, bill, read_prices, size, tables


@pytest.mark.parametrize("cloud", CLOUDS)
def test_more_people_cost_more_in_every_part_that_grows(cloud: str) -> None:
    totals = [bill(cloud, users, read_prices()).total for users in USERS]
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]


def test_a_month_of_the_database_is_its_hours_and_its_storage() -> None:
    prices = read_prices()
    expected = 0.336 * 730 + 100 * 0.23
    assert bill("aws", "10k", prices).parts["PostgreSQL"] == pytest.approx(expected)


@pytest.mark.promise("CO2")
def test_nodes_that_may_be_taken_away_cost_less() -> None:
    prices = read_prices()
    on_demand = 0.10 * 730 + (3 + 2) * 0.0816 * 730
    with_spot = 0.10 * 730 + (3 + 2 * 0.4) * 0.0816 * 730
    assert bill("aws", "10k", prices, spot=False).parts["cluster and nodes"] == pytest.approx(on_demand)
    assert bill("aws", "10k", prices).parts["cluster and nodes"] == pytest.approx(with_spot)


def test_a_larger_instance_in_the_size_is_a_larger_bill() -> None:
    prices, cell = read_prices(), copy.deepcopy(dict(size("aws", "1k")))
    before = bill("aws", "1k", prices, cell).total
    cell["database"]["instance_class"] = "db.m7g.2xlarge"
    assert bill("aws", "1k", prices, cell).total - before == pytest.approx((1.345 - 0.129) * 730)


def test_an_instance_without_a_price_is_an_error_and_not_free() -> None:
    cell = copy.deepcopy(dict(size("aws", "1k")))
    cell["database"]["instance_class"] = "db.r8g.48xlarge"
    with pytest.raises(KeyError, match="48xlarge"):
        bill("aws", "1k", read_prices(), cell)


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("users", ["10k", "100k"])
def test_from_ten_thousand_users_on_a_cell_costs_less_than_the_contract_says(cloud: str, users: str) -> None:
    prices = read_prices()
    assert bill(cloud, users, prices).total <= prices["contract"]["bloom"][users]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_cell_costs_less_than_the_rival_on_aws(cloud: str) -> None:
    prices = read_prices()
    assert all(bill(cloud, users, prices).total < prices["contract"]["rival"][users] for users in USERS)


def test_the_page_says_where_a_figure_of_the_contract_is_missed() -> None:
    prices = dict(read_prices())
    row = next(line for line in tables(prices).splitlines() if line.startswith("| aws | 1k"))
    assert "1.8 times" in row
    prices["contract"] = {**prices["contract"], "bloom": {**prices["contract"]["bloom"], "1k": 5000}}
    assert "| within |" in next(line for line in tables(prices).splitlines() if line.startswith("| aws | 1k"))
